package webpush

import (
	"encoding/base64"
	"net/netip"
	"strings"
	"testing"

	"kentongan/internal/announcement"
)

func testSender(t testing.TB, hosts ...string) *Sender {
	t.Helper()
	keys, err := GenerateKeys()
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(Options{Keys: keys, Subject: "https://example.com/contact", Hosts: hosts})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestCheckEndpoint(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, endpoint string
		ok             bool
	}{
		{"FCM", "https://fcm.googleapis.com/fcm/send/abc:APA91", true},
		{"Mozilla", "https://updates.push.services.mozilla.com/wpush/v2/gAAA", true},
		{"Apple", "https://web.push.apple.com/QGuQ", true},
		{"Edge", "https://wns2-par02p.notify.windows.com/w/?token=BQYAAA%3d", true},
		{"upper case", "https://FCM.googleapis.com/fcm/send/abc", true},
		{"port 443", "https://fcm.googleapis.com:443/fcm/send/abc", true},
		{"http", "http://fcm.googleapis.com/x", false},
		{"userinfo", "https://user:pw@fcm.googleapis.com/x", false},
		{"host as userinfo", "https://fcm.googleapis.com@evil.example/x", false},
		{"look-alike suffix", "https://evilnotify.windows.com/x", false},
		{"suffix of another", "https://fcm.googleapis.com.evil.example/x", false},
		{"path trick", "https://169.254.169.254/x.notify.windows.com/", false},
		{"query trick", "https://evil.example/?.push.apple.com/", false},
		{"IP", "https://10.0.0.1/", false},
		{"IPv6", "https://[::1]/", false},
		{"trailing dot", "https://fcm.googleapis.com./x", false},
		{"NUL", "https://fcm.googleapis.com%00.evil.example/x", false},
		{"backslash", `https://evil.example\.push.apple.com/`, false},
		{"port", "https://fcm.googleapis.com:8443/x", false},
		{"suffix alone", "https://notify.windows.com/x", false},
		{"fragment", "https://evil.example#.push.apple.com", false},
		{"look-alike letters", "https://fcm.gооgleapis.com/x", false},
		{"not a URL", "fcm.googleapis.com/x", false},
		{"empty", "", false},
		{"too long", "https://fcm.googleapis.com/" + strings.Repeat("x", 2_048), false},
	}
	s := testSender(t)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			err := s.CheckEndpoint(test.endpoint)
			if (err == nil) != test.ok {
				t.Errorf("got %v, want ok %v", err, test.ok)
			}
			if err != nil && test.endpoint != "" && strings.Contains(err.Error(), test.endpoint) {
				t.Errorf("the error repeats the endpoint: %v", err)
			}
		})
	}
}

func TestCheckEndpointOfTheSandbox(t *testing.T) {
	t.Parallel()
	s := testSender(t, "localhost")
	s.allowPrivate = true
	for endpoint, want := range map[string]bool{"http://localhost:8080/push/1": true, "http://otherhost:8080/push/1": false, "ftp://localhost/1": false} {
		if err := s.CheckEndpoint(endpoint); (err == nil) != want {
			t.Errorf("%s: got %v, want ok %v", endpoint, err, want)
		}
	}
}

func TestPublic(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]bool{
		"142.250.4.95": true, "2404:6800:4003::5f": true, "64:ff9b::8efa:45f": true, "::ffff:142.250.4.95": true,
		"127.0.0.1": false, "10.1.2.3": false, "172.16.0.1": false, "192.168.1.1": false, "169.254.169.254": false, "100.64.0.1": false,
		"100.100.100.200": false, "0.0.0.0": false, "224.0.0.1": false, "255.255.255.255": false, "198.18.0.1": false,
		"::1": false, "::": false, "fe80::1": false, "fd00:ec2::254": false, "::ffff:127.0.0.1": false, "::ffff:169.254.169.254": false,
		"64:ff9b::a9fe:a9fe": false, "64:ff9b::7f00:1": false, "2002:7f00:1::": false, "::127.0.0.1": false, "ff02::1": false,
	} {
		if got := public(netip.MustParseAddr(address)); got != want {
			t.Errorf("public(%s): got %v, want %v", address, got, want)
		}
	}
}

func TestCheckSubject(t *testing.T) {
	t.Parallel()
	for subject, want := range map[string]bool{
		"it@example.com": true, "mailto:it@example.com": true, "https://example.com/contact": true,
		"": false, "mailto:it@localhost": false, "mailto: <it@example.com>": false, "it@example.com ": false, "it": false,
		"http://example.com": false, "https://localhost/": false, "mailto:mailto:it@example.com": false, "it@.com": false,
	} {
		if err := CheckSubject(subject); (err == nil) != want {
			t.Errorf("CheckSubject(%q): got %v, want ok %v", subject, err, want)
		}
	}
}

func TestCheckSubscription(t *testing.T) {
	t.Parallel()
	keys, err := GenerateKeys()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := decodeKey(keys.Public)
	if err != nil {
		t.Fatal(err)
	}
	off := append([]byte{}, raw...)
	off[64] ^= 1
	auth := base64.RawURLEncoding.EncodeToString(make([]byte, 16))
	url := base64.RawURLEncoding.EncodeToString
	tests := []struct {
		name, p256dh, auth string
		ok                 bool
	}{
		{"URL alphabet", url(raw), auth, true},
		{"standard alphabet, padded", base64.StdEncoding.EncodeToString(raw), base64.StdEncoding.EncodeToString(make([]byte, 16)), true},
		{"not on the curve", url(off), auth, false},
		{"short point", url(raw[:64]), auth, false},
		{"the point at infinity", url([]byte{0}), auth, false},
		{"short secret", url(raw), url(make([]byte, 15)), false},
		{"not base64", "!", auth, false},
		{"empty", "", "", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if err := CheckSubscription(announcement.Subscription{P256dh: test.p256dh, Auth: test.auth}); (err == nil) != test.ok {
				t.Errorf("got %v, want ok %v", err, test.ok)
			}
		})
	}
}

func TestNewRefusesWhatCannotWork(t *testing.T) {
	t.Parallel()
	one, _ := GenerateKeys()
	two, err := GenerateKeys()
	if err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]Options{
		"no keys":       {Subject: "it@example.com"},
		"mixed keys":    {Keys: Keys{Public: one.Public, Private: two.Private}, Subject: "it@example.com"},
		"wrong contact": {Keys: one, Subject: "it@localhost"},
	} {
		if _, err := New(o); err == nil {
			t.Errorf("%s: got no error", name)
		} else if strings.Contains(err.Error(), two.Private) {
			t.Errorf("%s: the error holds the private key", name)
		}
	}
}

func FuzzCheckEndpoint(f *testing.F) {
	s := testSender(f)
	f.Add("https://fcm.googleapis.com/x")
	f.Add("https://169.254.169.254/x.google.com/")
	f.Fuzz(func(t *testing.T, endpoint string) {
		if s.CheckEndpoint(endpoint) == nil && !strings.HasPrefix(strings.ToLower(endpoint), "https://") {
			t.Errorf("%q was taken", endpoint)
		}
	})
}
