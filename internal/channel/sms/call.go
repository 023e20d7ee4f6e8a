package sms

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/twilio/twilio-go/client"
)

// maxAnswer and maxList bound what is read of an answer, in bytes. A message resource
// takes about one kilobyte, and a list holds up to pageSize of them.
const (
	maxAnswer = 64 << 10
	maxList   = 8 << 20
)

// call is a client.BaseClient for exactly one request: twilio-go gives its
// calls no context, drops the headers of a refusal and leaves its body open, so
// all three are looked after here.
type call struct {
	ctx    context.Context
	sender *Twilio

	written    atomic.Bool // any of the request went out: the provider may have taken it
	status     int
	retryAfter time.Duration
}

var _ client.BaseClient = (*call)(nil)

func (c *call) AccountSid() string       { return c.sender.options.AccountSID }
func (c *call) SetTimeout(time.Duration) {} // the context carries the deadline
func (c *call) SetOauth(client.OAuth)    {} // this sender signs in with its auth token only
func (c *call) OAuth() client.OAuth      { return nil }

// SendRequest sends one request to the configured address. The answer is read
// whole and its connection given back before it returns.
func (c *call) SendRequest(method, rawURL string, data url.Values, headers map[string]any, _ ...byte) (*http.Response, error) {
	target, err := url.Parse(rawURL)
	if err != nil {
		return nil, fmt.Errorf("parse request address: %w", err)
	}
	address, body, most := c.sender.api.JoinPath(target.Path), data.Encode(), int64(maxAnswer)
	if method == http.MethodGet {
		address.RawQuery, body, most = body, "", maxList
	}
	ctx := httptrace.WithClientTrace(c.ctx, &httptrace.ClientTrace{
		WroteHeaders: func() { c.written.Store(true) },
	})
	req, err := http.NewRequestWithContext(ctx, method, address.String(), strings.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	for name, v := range headers {
		req.Header.Set(name, fmt.Sprint(v))
	}
	req.SetBasicAuth(c.sender.options.AccountSID, c.sender.options.AuthToken)
	// Without a way to read the body again, net/http never repeats the request
	// by itself on a connection that died: a repeat is ours to decide.
	req.GetBody = nil

	res, err := c.sender.http.Do(req)
	if err != nil {
		return nil, err
	}
	answer, err := readAndClose(res.Body, most)
	if err != nil {
		return nil, fmt.Errorf("read answer: %w", err)
	}
	c.status = res.StatusCode
	c.retryAfter = retryAfter(res.Header)
	if res.StatusCode < 200 || res.StatusCode > 299 {
		refusal := &client.TwilioRestError{}
		if json.Unmarshal(answer, refusal) != nil {
			return nil, errors.New("answer is not an error of the provider")
		}
		return nil, refusal
	}
	res.Body = io.NopCloser(bytes.NewReader(answer))
	return res, nil
}

func readAndClose(body io.ReadCloser, most int64) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(body, most))
	if closing := body.Close(); err == nil {
		err = closing
	}
	return b, err
}

// retryAfter reads the Retry-After header (RFC 9110, section 10.2.3), in its
// seconds form or as a date measured against the answer's own Date header, so
// that no clock of ours has to agree with theirs.
func retryAfter(h http.Header) time.Duration {
	v := h.Get("Retry-After")
	if v == "" {
		return 0
	}
	if seconds, err := strconv.Atoi(v); err == nil {
		return time.Duration(min(max(seconds, 0), 86_400)) * time.Second
	}
	when, err := http.ParseTime(v)
	if err != nil {
		return 0
	}
	now, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return 0
	}
	return min(max(when.Sub(now), 0), 24*time.Hour)
}
