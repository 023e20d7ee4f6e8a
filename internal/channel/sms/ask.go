package sms

import (
	"context"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/twilio/twilio-go/client"
	api "github.com/twilio/twilio-go/rest/api/v2010"

	"kentongan/internal/announcement"
	"kentongan/internal/channel"
)

const (
	pageSize = 1000 // Twilio's most

	// clocks is by how much the provider's clock may differ from ours.
	clocks = 10 * time.Second
)

// Progress is how far the provider says that a text of ours has come.
type Progress struct {
	Rank    announcement.Rank
	Failure string
}

// Took asks whether the provider took m for the person since then. A text is told by
// its words: Twilio may put something before them, and a second composing may have
// another time of day in it. The link says whose it is and of which announcement, where
// a phone is shared; it is the same in the alert and in each reminder, which may go out
// within seconds when a provider is back.
func (t *Twilio) Took(ctx context.Context, to announcement.ContactPoints, m announcement.Message, since time.Time) (channel.Handed, bool, error) {
	if to.Mobile == "" || m.SMS == "" {
		return channel.Handed{}, false, nil
	}
	p := &api.ListMessageParams{}
	p.SetTo(to.Mobile).SetPageSize(50) // newest first
	page, err := t.page(ctx, p, "", "")
	if err != nil {
		return channel.Handed{}, false, err
	}
	link := strings.TrimPrefix(strings.TrimPrefix(m.Link, "https://"), "http://")
	for _, one := range page.Messages {
		created, body := moment(one.DateCreated), text(one.Body)
		same := strings.HasSuffix(body, m.SMS) || link != "" && strings.Contains(body, link) && strings.HasSuffix(anyHour(body), anyHour(m.SMS))
		if same && strings.HasPrefix(text(one.Direction), "outbound") && !created.Before(since.Add(-clocks).Truncate(time.Second)) {
			return channel.Handed{Rank: announcement.Accepted, Points: 1, SID: text(one.Sid)}, true, nil
		}
	}
	return channel.Handed{}, false, nil
}

// anyHour is a text in which every time of day is the same.
func anyHour(text string) string { return hour.ReplaceAllString(text, "#") }

var hour = regexp.MustCompile(`\b\d{1,2}[.:]\d{2}\b`)

// Inbound returns what was sent to our number since then, oldest first.
func (t *Twilio) Inbound(ctx context.Context, since time.Time) ([]Inbound, error) {
	p := &api.ListMessageParams{}
	p.SetDateSentAfter(since.UTC()).SetPageSize(pageSize)
	if !t.service() {
		p.SetTo(t.options.From)
	}
	var out []Inbound
	err := t.each(ctx, p, func(m api.ApiV2010Message) {
		if text(m.Direction) == "inbound" {
			at := moment(m.DateSent)
			if at.IsZero() {
				at = moment(m.DateCreated)
			}
			out = append(out, Inbound{SID: text(m.Sid), From: text(m.From), To: text(m.To), Body: text(m.Body), OptOut: keyword(text(m.Body)), At: at})
		}
	})
	slices.Reverse(out)
	return out, err
}

// Outbound returns by their SIDs how far our texts have come that were sent since then.
func (t *Twilio) Outbound(ctx context.Context, since time.Time) (map[string]Progress, error) {
	p := &api.ListMessageParams{}
	p.SetDateSentAfter(since.UTC()).SetPageSize(pageSize)
	if !t.service() {
		p.SetFrom(t.options.From)
	}
	out := map[string]Progress{}
	err := t.each(ctx, p, func(m api.ApiV2010Message) {
		code := 0
		if m.ErrorCode != nil {
			code = *m.ErrorCode
		}
		if rank, failure, ok := standing(text(m.Status), code); ok && strings.HasPrefix(text(m.Direction), "outbound") {
			out[text(m.Sid)] = Progress{rank, failure}
		}
	})
	return out, err
}

// service reports whether we send through a messaging service, which has numbers of
// its own.
func (t *Twilio) service() bool {
	return strings.HasPrefix(t.options.From, "MG") && len(t.options.From) == 34
}

// each gives every message of a list to fn, newest first. Half a list is an error: what
// is missing would be the oldest.
func (t *Twilio) each(ctx context.Context, p *api.ListMessageParams, fn func(api.ApiV2010Message)) error {
	token, number := "", ""
	for { // ctx ends a list without an end
		page, err := t.page(ctx, p, token, number)
		if err != nil {
			return err
		}
		for _, m := range page.Messages {
			fn(m)
		}
		next, err := url.Parse(text(page.NextPageUri))
		if err != nil || next.RawQuery == "" {
			return nil //nolint:nilerr // an address that is none leads nowhere
		}
		token, number = next.Query().Get("PageToken"), next.Query().Get("Page")
	}
}

// page asks for one page of a list. It fails with *channel.Error only.
func (t *Twilio) page(ctx context.Context, p *api.ListMessageParams, token, number string) (*api.ListMessageResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, t.options.Timeout)
	defer cancel()
	c := &call{ctx: ctx, sender: t}
	page, err := api.NewApiService(&client.RequestHandler{Client: c}).PageMessage(p, token, number)
	if err != nil {
		return nil, c.failure(err)
	}
	return page, nil
}

// Words on which Twilio itself acts, unless the account says otherwise
// (twilio.com/docs/messaging/tutorials/advanced-opt-out). A list does not say on which
// it did, as a webhook does.
var keywords = map[string]string{
	"STOP": "STOP", "STOPALL": "STOP", "UNSUBSCRIBE": "STOP", "CANCEL": "STOP", "END": "STOP", "QUIT": "STOP", "REVOKE": "STOP", "OPTOUT": "STOP",
	"START": "START", "YES": "START", "UNSTOP": "START", "HELP": "HELP", "INFO": "HELP",
}

func keyword(body string) string { return keywords[strings.ToUpper(strings.TrimSpace(body))] }

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// moment reads one of Twilio's times (RFC 2822); zero: there is none.
func moment(s *string) time.Time {
	t, err := time.Parse(time.RFC1123Z, text(s))
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}
