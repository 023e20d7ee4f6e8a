package sandbox

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"time"
)

// checkVAPID checks an Authorization header of RFC 8292 ("vapid t=JWT, k=KEY")
// for a push service at origin, and returns the key that signed it.
func checkVAPID(header, origin string, now time.Time) (key string, err error) {
	scheme, rest, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "vapid") {
		return "", errors.New("authorization is not vapid")
	}
	var token string
	for part := range strings.SplitSeq(rest, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch name {
		case "t":
			token = value
		case "k":
			key = value
		}
	}
	parts := strings.Split(token, ".")
	if len(parts) != 3 || key == "" {
		return "", errors.New("authorization needs t= with a JWT and k=")
	}
	point, err := unbase64(key)
	if err != nil {
		return "", fmt.Errorf("read k=: %w", err)
	}
	public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	if err != nil {
		return "", fmt.Errorf("read k=: %w", err)
	}
	var head struct{ Alg string }
	if err := readPart(parts[0], &head); err != nil || head.Alg != "ES256" {
		return "", errors.New("JWT must be signed with ES256")
	}
	sig, err := unbase64(parts[2])
	if err != nil || len(sig) != 64 {
		return "", errors.New("JWT signature must be 64 bytes")
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if !ecdsa.Verify(public, sum[:], new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:])) {
		return "", errors.New("JWT signature does not match k=")
	}
	var claims struct {
		Aud string
		Exp float64
		Sub string
	}
	if err := readPart(parts[1], &claims); err != nil {
		return "", err
	}
	if claims.Aud != origin {
		return "", errors.New("aud is not the origin of the push service")
	}
	exp := time.Unix(int64(claims.Exp), 0)
	if !exp.After(now) || exp.After(now.Add(24*time.Hour+time.Minute)) { // a minute for the difference of clocks
		return "", errors.New("exp must lie within 24 hours from now")
	}
	mail, isMail := strings.CutPrefix(claims.Sub, "mailto:")
	if !strings.HasPrefix(claims.Sub, "https://") && (!isMail || !strings.Contains(mail, "@") || strings.Contains(mail, ":")) {
		return "", errors.New("sub must be a mailto: or https: address")
	}
	return key, nil
}

func readPart(part string, v any) error {
	b, err := unbase64(part)
	if err != nil {
		return fmt.Errorf("read JWT: %w", err)
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("read JWT: %w", err)
	}
	return nil
}

// unbase64 reads base64url with or without padding, as browsers and libraries
// write both.
func unbase64(s string) ([]byte, error) {
	return base64.RawURLEncoding.DecodeString(strings.TrimRight(s, "="))
}
