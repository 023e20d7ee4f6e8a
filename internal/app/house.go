package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"kentongan/internal/announcement"
	"kentongan/internal/channel"
	"kentongan/internal/channel/inapp"
	"kentongan/internal/channel/sms"
	"kentongan/internal/channel/webpush"
	"kentongan/internal/directory"
	"kentongan/internal/dispatch"
	"kentongan/internal/ledger"
	"kentongan/internal/sandbox"
	"kentongan/internal/tracker"
	"kentongan/internal/web"
	"kentongan/templates"
)

// House is the whole service in one process.
type House struct {
	Version string

	config     *Config
	log        *slog.Logger
	now        func() time.Time
	ledger     ledger.Ledger
	audit      *audit
	watch      *watch
	notary     *ledger.Notary // seals the ledger; nil where nothing is kept
	vault      ledger.Vault
	directory  *directory.Directory
	tracker    *tracker.Tracker
	dispatcher *dispatch.Dispatcher
	links      *links
	desk       *desk
	keeper     *keeper
	reconciler *reconciler
	hub        *inapp.Hub
	server     *web.Server
	sandbox    *sandbox.Sandbox
	nats       *nats.Conn // nil in a rehearsal
	writes     writes
	metrics    *metrics
	traces     *traces       // nil: nobody wants them
	working    tracker.Store // the working state
	store      string        // where it is, in words
	listener   net.Listener
	sandboxOn  net.Listener
	welcome    string // code of the invitation to make the first account
	closers    []func()
	background context.CancelFunc
}

// Open puts the house together. On an error nothing stays open.
func Open(ctx context.Context, c Config, version string, log *slog.Logger) (_ *House, err error) {
	if err := c.Complete(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return nil, fmt.Errorf("KENTONGAN_DATA: %w", err)
	}
	h := &House{Version: version, config: &c, log: log, now: time.Now}
	defer func() {
		if err != nil {
			h.Close()
		}
	}()
	background, cancel := context.WithCancel(context.WithoutCancel(ctx))
	h.background = cancel
	if err := refuseUnfinished(&c); err != nil { // before keys are made that are not those of the backup
		return nil, err
	}
	keysAt := keysPath(c.KeysFile, c.Data)
	secret, made, err := loadKeys(keysAt, c.Data)
	if err != nil {
		return nil, err
	}
	c.vapidKey = secret.Push.Public
	if h.traces, err = openTraces(ctx, version, h.now, log, nil); err != nil {
		return nil, err
	}
	if h.traces != nil {
		h.closers = append(h.closers, h.traces.close)
	}

	nc, err := h.openLedger(ctx, secret)
	if made && errors.Is(err, ledger.ErrSealed) { // those just made are not in the way of the right ones
		return nil, errors.Join(err, os.Remove(keysAt))
	}
	if err != nil {
		return nil, err
	}
	if err := checkKeys(ctx, h.vault, keysAt, secret, c.NewKeys); err != nil {
		return nil, err
	}
	store, name, closeStore, err := openWorkingState(ctx, &c, log)
	if err != nil {
		return nil, err
	}
	h.store = name
	h.closers = append(h.closers, closeStore)
	var queue *dispatch.JetStreamQueue
	err = patiently(ctx, h.config, h.log, func(ctx context.Context) error {
		queue, err = dispatch.OpenQueue(ctx, nc, dispatch.QueueOptions{Replicas: c.Replicas, Now: h.now, Log: log})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("open delivery queue: %w", err)
	}
	if err := h.furnish(background, secret, store, queue, nil); err != nil {
		return nil, err
	}
	if h.notary, err = openNotary(&c, h.ledger, secret, h); err != nil {
		return nil, err
	}
	return h, h.listen(ctx)
}

// furnish builds everything that stands on the ledger, the vault, the store and
// the queue. providers reaches the SMS provider and push services; nil is the
// network. ctx ends the followers of the directory and the tokens.
func (h *House) furnish(ctx context.Context, secret *keys, store tracker.Store, queue dispatch.Queue, providers *http.Client) (err error) {
	c, log := h.config, h.log
	h.working = store
	if h.traces != nil {
		h.ledger, queue = tracedLedger{h.ledger, h.traces}, tracedQueue{queue, h.traces}
	}
	if h.directory, err = directory.Open(ctx, h.vault, directory.Options{Now: h.now, Country: "ID", Zone: c.Zone, Language: announcement.Indonesian, Log: log}); err != nil {
		return fmt.Errorf("open directory: %w", err)
	}
	if err := h.openPeople(ctx); err != nil {
		return err
	}
	catalogue, err := announcement.LoadCatalogue(templates.Messages())
	if err != nil {
		return fmt.Errorf("load messages: %w", err)
	}
	words, err := openEditions(ctx, h.vault, catalogue)
	if err != nil {
		return err
	}
	h.hub = inapp.New()
	h.metrics = newMetrics(h.now)
	h.tracker = tracker.New(tracker.Options{
		Ledger: h.ledger, Store: store, Now: h.now, Log: log, OnRecord: h.wake,
		Active: func(p announcement.PersonID) bool { who, ok := h.directory.Person(p); return ok && who.Active },
		Left:   func(p announcement.PersonID) bool { who, ok := h.directory.Person(p); return ok && !who.Active },
		Reachable: func(p announcement.PersonID) bool {
			to, _, ok := h.directory.ContactPoints(p)
			return ok && (to.Mobile != "" || len(to.Subscriptions) > 0)
		},
		Joining: func(a *announcement.Announcement, known func(announcement.PersonID) bool) []announcement.Joiner {
			joiners := h.directory.Joining(a.Audience, known)
			for i := range joiners {
				joiners[i].Zone = h.config.zoneBeside(a, joiners[i].Recipient)
			}
			return joiners
		},
		Above:   h.directory.Above,
		StandIn: h.directory.StandIn,
		Senders: func(by announcement.Actor) []announcement.PersonID {
			return h.desk.phonesOf(h.desk.others(web.Announce, by, &announcement.Roster{}))
		},
		Zone: func(p announcement.PersonID) string { return cmp.Or(h.directory.Zone(p), h.config.Zone) },
	})
	h.directory.Watch(func(p announcement.PersonID) {
		h.tracker.Changed(p)
		h.hub.Wake(topicOfPerson(p)) // pages of somebody who left close
	}, h.tracker.AudiencesChanged)
	h.links = newLinks(secret.Links, h.tracker)
	box, err := openInbox(ctx, h.vault)
	if err != nil {
		return err
	}
	counting, err := openCountdowns(ctx, h.vault)
	if err != nil {
		return err
	}
	aside, err := openDrafts(ctx, h.vault)
	if err != nil {
		return err
	}
	shown, err := openTrials(ctx, h.vault)
	if err != nil {
		return err
	}
	h.audit = newAudit(h.ledger, h.now, log)
	h.closers = append(h.closers, h.audit.drain)
	guard, err := openAccess(ctx, h.vault, c, secret.Links, h.audit, h.now)
	if err != nil {
		return err
	}
	guard.employs = func(number string) bool { who, ok := h.directory.ByNumber(number); return ok && who.Active }
	if !c.Sandbox {
		if h.welcome, err = guard.begin(ctx); err != nil {
			return fmt.Errorf("make the first invitation: %w", err)
		}
	}
	h.desk = &desk{lag: rate.Sometimes{Interval: 10 * time.Second}, strange: rate.Sometimes{Interval: time.Minute}, audit: h.audit, config: c, accounts: guard.accounts, ledger: h.ledger, vault: h.vault, directory: h.directory, tracker: h.tracker, catalogue: catalogue,
		links: h.links, hub: h.hub, now: h.now, log: log, inbox: box, countdowns: counting, drafts: aside, providers: newProviders(h.now), replies: newReplyLimit(), trials: shown,
		codes: &codes{vault: h.vault, key: secret.Links, now: h.now}, senders: map[announcement.Channel]channel.Sender{}}

	h.reconciler = &reconciler{desk: h.desk, found: h.metrics.found.Inc, known: map[string]time.Time{}}
	senders, err := h.openChannels(secret, providers)
	if err != nil {
		return err
	}
	for i, s := range senders {
		s = h.traces.sender(h.metrics.timed(s))
		senders[i] = s
		h.desk.senders[s.Channel()] = s
	}
	sent := func(c announcement.Channel, r announcement.Rank, reason string) {
		h.metrics.sent(c, r, reason)
		h.desk.providers.note(c, r, reason)
	}
	h.dispatcher = dispatch.New(dispatch.Options{Ledger: h.ledger, Queue: queue, Tracker: h.tracker, People: countedPeople{h.directory, h.metrics}, Composer: composer{h.desk},
		Senders: senders, InFlight: c.InFlight, PushInFlight: c.PushInFlight, Now: h.now, Log: log, OnSent: sent,
		OnTaken: h.reconciler.took, OnAway: func(announcement.Channel, bool) { h.wakeBoards() }})
	h.desk.away = h.dispatcher.Away
	phones := ""
	if c.Sandbox {
		phones = "http://" + c.SandboxListen + "/phones"
	}
	files, err := openUploads(ctx, h.vault, h.now)
	if err != nil {
		return err
	}
	if h.desk.errands, err = openErrands(ctx, h.vault, h.now, log); err != nil {
		return err
	}
	h.watch = &watch{ledger: h.ledger, tracker: h.tracker, queue: queue, heartbeat: c.HeartbeatURL, client: &http.Client{}, now: h.now, log: log, again: h.dispatcher.Again}
	if h.nats != nil {
		h.watch.unplanned = func(ctx context.Context) (int, error) {
			s, err := ledger.Inspect(ctx, h.nats)
			return s.Pending, err
		}
	}
	h.keeper = &keeper{desk: h.desk, now: h.now}
	staff := &people{directory: h.directory, links: h.links, sample: c.SMSProvider == "sandbox", desk: h.desk, uploads: files, errands: h.desk.errands, editions: words, access: guard}
	h.server, err = web.New(web.Options{Desk: h.desk, Phone: h.desk, People: staff,
		Hooks: countedHooks{h.desk, h.metrics}, Access: guard, Privacy: h.keeper, Health: health{h}, Trail: h.desk, Metrics: h.metrics.page(h, queue), PublicURL: c.PublicURL, Org: c.OrgName, Secret: secret.Cookie,
		Verify: h.verify, Evidence: h.evidence, Backup: h.backup, Now: h.now, Log: log, Version: h.Version, SandboxURL: phones})
	if err != nil {
		return fmt.Errorf("open pages: %w", err)
	}
	h.desk.errands.work[importErrand] = staff.doImport
	h.desk.errands.work[reportErrand] = h.desk.makeReport(h.server.ReportFile)
	return nil
}

// openLedger opens NATS and what is kept there.
func (h *House) openLedger(ctx context.Context, secret *keys) (*nats.Conn, error) {
	nc, closeNATS, err := openNATS(ctx, h.config, h.log)
	if err != nil {
		return nil, err
	}
	h.nats, h.closers = nc, append(h.closers, closeNATS)
	var js *ledger.JetStream
	if err := patiently(ctx, h.config, h.log, func(ctx context.Context) error {
		if err := h.keepReplicas(ctx, nc); err != nil {
			return err
		}
		js, err = ledger.OpenJetStream(ctx, nc, ledger.Options{Replicas: h.config.Replicas, Now: h.now, Log: h.log})
		return err
	}); err != nil {
		return nil, fmt.Errorf("open ledger: %w", err)
	}
	h.ledger = notedLedger{js, &h.writes}
	h.closers = append(h.closers, func() { _ = js.Close() })
	var former [][32]byte
	for _, key := range secret.VaultFormer {
		former = append(former, [32]byte(key))
	}
	var vault *ledger.KV
	err = patiently(ctx, h.config, h.log, func(ctx context.Context) error {
		vault, err = ledger.OpenVault(ctx, nc, ledger.VaultOptions{Key: [32]byte(secret.Vault), Former: former, Replicas: h.config.Replicas, Now: h.now})
		return err
	})
	if errors.Is(err, ledger.ErrSealed) {
		return nil, fmt.Errorf("%s: the key \"vault\" is not the one that the people on this NATS were sealed with; restore it from the backup, and give every node the same: %w", keysPath(h.config.KeysFile, h.config.Data), err)
	}
	if err != nil {
		return nil, fmt.Errorf("open vault: %w", err)
	}
	h.vault = notedVault{vault, &h.writes}
	return nc, nil
}

// keepReplicas raises the number of copies to what the ledger has: a variable that
// is missing on one node must not take the others' copies away.
func (h *House) keepReplicas(ctx context.Context, nc *nats.Conn) error {
	have, err := ledger.Replicas(ctx, nc)
	if err != nil {
		return err
	}
	if have > max(h.config.Replicas, 1) {
		h.log.Warn("KENTONGAN_REPLICAS is less than the ledger has; its copies are kept. Set it to the same on every node, or lower them with the nats command if that is meant",
			"configured", h.config.Replicas, "kept", have)
		h.config.Replicas = have
	}
	return nil
}

// openPeople brings the sample company into an empty sandbox, and keeps sample
// people away from every other provider.
func (h *House) openPeople(ctx context.Context) error {
	if h.config.Sandbox && len(h.directory.Everybody()) == 0 {
		f, err := templates.Files.Open("sample/people.csv")
		if err != nil {
			return fmt.Errorf("open sample people: %w", err)
		}
		defer f.Close()
		report, err := h.directory.Import(ctx, f, directory.ImportOptions{Sample: true})
		if err != nil || len(report.Errors) > 0 {
			return fmt.Errorf("import sample people: %d faults: %w", len(report.Errors), err)
		}
	}
	if h.directory.HasSample() && h.config.SMSProvider == "twilio" {
		return errors.New("KENTONGAN_SMS_PROVIDER=twilio: this data folder holds sample people, whose numbers may belong to real ones; use an empty KENTONGAN_DATA")
	}
	if h.config.Duty == "" {
		return nil
	}
	// Whoever has left must not keep the service from starting; a number that nobody
	// ever had is a mistake to be told of now.
	numbers := strings.Split(h.config.Duty, ",")
	here := slices.DeleteFunc(slices.Clone(numbers), func(n string) bool { who, known := h.directory.ByNumber(n); return known && !who.Active })
	if gone := len(numbers) - len(here); gone > 0 {
		h.log.Warn("KENTONGAN_DUTY names people who have left; the others are on duty", "step", "start", "count", gone)
	}
	if len(here) == 0 {
		return nil // whoever was on the list before, or is without a manager, is called
	}
	if err := h.directory.SetDuty(ctx, here); err != nil {
		return fmt.Errorf("KENTONGAN_DUTY: %w", err)
	}
	return nil
}

// openChannels opens the channels that are configured. Everyone has in-app.
func (h *House) openChannels(secret *keys, providers *http.Client) ([]channel.Sender, error) {
	c := h.config
	senders := []channel.Sender{h.hub}
	if c.PushSubject != "" {
		hosts := c.PushHosts
		if len(hosts) == 0 {
			hosts = webpush.DefaultHosts
		}
		s, err := webpush.New(webpush.Options{Keys: secret.Push, Subject: c.PushSubject, Hosts: hosts, HTTP: providers, Timeout: 10 * time.Second, AllowPrivate: c.SMSProvider == "sandbox"})
		if err != nil {
			return nil, fmt.Errorf("open web push: %w", err)
		}
		c.checkSubscription = func(sub announcement.Subscription) error {
			return errors.Join(s.CheckEndpoint(sub.Endpoint), webpush.CheckSubscription(sub))
		}
		senders = append(senders, s)
	}
	if c.SMSProvider != "none" {
		limit := rate.Inf
		if c.SMSRate > 0 {
			limit = rate.Limit(c.SMSRate)
		}
		o := sms.Options{AccountSID: c.TwilioAccountSID, AuthToken: c.TwilioAuthToken, From: c.TwilioFrom, APIURL: c.TwilioAPIURL,
			StatusURL: c.PublicURL + "/hooks/twilio/status", HTTP: providers, Timeout: 15 * time.Second, Rate: limit, AllowSample: c.SMSProvider == "sandbox"}
		first, err := sms.NewTwilio(o)
		if err != nil {
			return nil, fmt.Errorf("open SMS: %w", err)
		}
		both := providersOfSMS{first: first}
		h.reconciler.accounts = append(h.reconciler.accounts, smsAccount{"first", first, false})
		if c.secondSMS() {
			o.AccountSID, o.AuthToken, o.From, o.APIURL = c.SMS2AccountSID, c.SMS2AuthToken, c.SMS2From, c.SMS2APIURL
			if both.second, err = sms.NewTwilio(o); err != nil {
				return nil, fmt.Errorf("open the second SMS provider: %w", err)
			}
		}
		if both.second != nil {
			h.reconciler.accounts = append(h.reconciler.accounts, smsAccount{"second", both.second, true})
		}
		senders = append(senders, both)
	}
	return senders, nil
}

// wake tells open pages that a record came, on whichever node it was written.
func (h *House) wake(r ledger.Record) {
	if h.tracker.Begun() { // what is read again at a start is no news
		h.metrics.followed(r)
	}
	h.hub.Wake(topicOf(r.Announcement))
	for _, f := range r.Facts {
		switch f.Kind {
		case announcement.KindCommitted, announcement.KindClosed, announcement.KindDecided, announcement.KindJoined:
			if v, ok := h.tracker.View(r.Announcement); ok && v.Roster != nil {
				for _, p := range v.Roster.Recipients {
					h.hub.Wake(topicOfPerson(p.Person))
				}
			}
		}
	}
}

// wakeBoards tells the boards of what is open that there is news which is in no record.
func (h *House) wakeBoards() {
	for _, id := range h.tracker.IDs() {
		if v, ok := h.tracker.View(id); ok && v.Status == announcement.StatusOpen {
			h.hub.Wake(topicOf(id))
		}
	}
}

func (h *House) listen(ctx context.Context) (err error) {
	var lc net.ListenConfig
	if h.listener, err = lc.Listen(ctx, "tcp", h.config.Listen); err != nil {
		return fmt.Errorf("KENTONGAN_LISTEN: %w", err)
	}
	if h.config.Sandbox {
		if h.sandboxOn, err = lc.Listen(ctx, "tcp", h.config.SandboxListen); err != nil {
			return fmt.Errorf("KENTONGAN_SANDBOX_LISTEN: %w", err)
		}
		h.sandbox = sandbox.New(sandbox.Options{PublicURL: h.config.PublicURL, BaseURL: "http://" + h.config.SandboxListen,
			AccountSID: h.config.TwilioAccountSID, AuthToken: h.config.TwilioAuthToken, Now: h.now, Log: h.log})
	}
	return nil
}

// URL is where people reach the service, Phones the page of phones ("" without one).
func (h *House) URL() string { return h.config.PublicURL }

// Phones returns the address of the page of phones, empty outside the sandbox.
func (h *House) Phones() string {
	if h.sandbox == nil {
		return ""
	}
	return "http://" + h.config.SandboxListen + "/phones"
}

// Welcome is the link by which the first account is made: it opens once, for a
// day, and is made anew at each start until somebody can sign in. Empty: there is
// somebody, or the console is open to everybody.
func (h *House) Welcome() string {
	if h.welcome == "" {
		return ""
	}
	return h.config.PublicURL + "/welcome/" + h.welcome
}

// Store says where the working state is kept.
func (h *House) Store() string { return h.store }

// shutdownTime is how long a stop waits for calls under way to be recorded:
// longer than a provider's time-out, shorter than an orchestrator's patience.
const shutdownTime = 20 * time.Second

// Run serves until ctx ends, then lets what is under way finish.
func (h *House) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return named("tracker", h.tracker.Run(ctx)) })
	group.Go(func() error { return named("dispatch", h.dispatcher.Run(ctx)) })
	group.Go(func() error { return named("reconcile", h.reconciler.run(ctx)) })
	group.Go(func() error { return named("countdown", h.desk.runCountdowns(ctx)) })
	group.Go(func() error { return named("audit", h.audit.run(ctx)) })
	group.Go(func() error { return named("watch", h.watch.run(ctx)) })
	group.Go(func() error { return named("errands", h.desk.errands.run(ctx)) })
	if h.notary != nil {
		group.Go(func() error { return named("notary", h.notary.Run(ctx)) })
		defer h.sealLast(ctx)
	}
	group.Go(func() error { return named("certificate", h.metrics.watchCertificate(ctx, h.config.PublicURL)) })
	group.Go(func() error { return named("retention", h.keeper.runRetention(ctx)) })
	h.serve(ctx, group, h.listener, h.metrics.requests(h.handler()))
	if h.sandbox != nil {
		h.serve(ctx, group, h.sandboxOn, h.sandbox)
		group.Go(func() error { return named("sandbox", h.sandbox.Run(ctx)) })
		group.Go(func() error { return named("phones", h.handOutPhones(ctx)) })
	}
	err := group.Wait()
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// handler answers every request for a page or the API.
func (h *House) handler() http.Handler { return h.traces.requests(h.server.Handler()) }

func named(part string, err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return nil
	}
	return fmt.Errorf("%s: %w", part, err)
}

func (h *House) serve(ctx context.Context, group *errgroup.Group, on net.Listener, handler http.Handler) {
	// No WriteTimeout: the live streams stay open and set a deadline per write.
	s := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 60 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10,
		ErrorLog: slog.NewLogLogger(h.log.Handler(), slog.LevelDebug), BaseContext: func(net.Listener) context.Context { return ctx }}
	group.Go(func() error {
		if err := s.Serve(on); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve %s: %w", on.Addr(), err)
		}
		return nil
	})
	group.Go(func() error {
		<-ctx.Done()
		h.hub.Stop()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTime)
		defer cancel()
		return s.Shutdown(ctx)
	})
}

// Close closes what Open opened, last first. It may be called twice.
func (h *House) Close() {
	if h.background != nil {
		h.background()
	}
	for _, l := range []net.Listener{h.listener, h.sandboxOn} {
		if l != nil {
			_ = l.Close()
		}
	}
	for i := len(h.closers) - 1; i >= 0; i-- {
		h.closers[i]()
	}
	h.closers = nil
}
