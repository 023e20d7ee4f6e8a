package web

import (
	"context"

	"kentongan/internal/scim"
)

// One User of SCIM in memory; what is stored of resources is tested with the house.

func (h *house) user() scim.Document {
	return scim.Document{"schemas": []string{scim.UserSchema}, "id": "u1", "userName": "siti", "displayName": "Siti", "name": map[string]any{"formatted": "Siti"}, "active": true,
		"meta": map[string]any{"version": `W/"3"`, "location": "http://siaga.example/scim/v2/Users/u1"}}
}

func (h *house) Resources(_ context.Context, kind scim.Kind, q scim.Query) (int, []scim.Document, error) {
	if kind == scim.Group || !q.Filter.Match(h.user()) {
		return 0, nil, h.err
	}
	if q.Limit == 0 || q.From > 0 {
		return 1, nil, h.err
	}
	return 1, []scim.Document{h.user()}, h.err
}

func (h *house) Resource(_ context.Context, kind scim.Kind, id string) (scim.Document, error) {
	if kind == scim.Group || id != "u1" {
		return nil, scim.NotFound(kind)
	}
	return h.user(), h.err
}

func (h *house) AddResource(_ context.Context, _ Principal, _ scim.Kind, d scim.Document) (scim.Document, error) {
	h.changed++
	made := h.user()
	made["userName"] = d["userName"]
	return made, h.err
}

func (h *house) ChangeResource(ctx context.Context, _ Principal, kind scim.Kind, id string, current func(string) bool, change func(scim.Document) (scim.Document, error)) (scim.Document, error) {
	before, err := h.Resource(ctx, kind, id)
	if err != nil {
		return nil, err
	}
	if !current(before.Version()) {
		return nil, scim.Stale()
	}
	h.changed++
	return change(before)
}

func (h *house) RemoveResource(ctx context.Context, _ Principal, kind scim.Kind, id string, current func(string) bool) error {
	_, err := h.ChangeResource(ctx, Principal{}, kind, id, current, func(d scim.Document) (scim.Document, error) { return d, nil })
	return err
}

func (h *house) HeldBack(context.Context, Principal) HeldBack {
	if !h.held {
		return HeldBack{}
	}
	return HeldBack{Since: noon, People: []Name{{Number: "2210", Name: "Agus Wijaya"}, {Number: "2211", Name: "Sri"}}}
}

func (h *house) LetLeave(context.Context, Principal) error { h.changed++; return nil }
