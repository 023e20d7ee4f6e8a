package app

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
)

// handOutPhones gives every sample person a phone in the sandbox, over its own
// API, as an installer would.
func (h *House) handOutPhones(ctx context.Context) error {
	type phone struct {
		Number   string `json:"number"`
		Mobile   string `json:"mobile"`
		Name     string `json:"name"`
		Language string `json:"language"`
		Enrol    string `json:"enrol"`
	}
	var phones []phone
	for _, p := range h.directory.Everybody() {
		code, _ := h.links.enrolment(p.ID, h.now())
		phones = append(phones, phone{p.Number, p.Mobile, p.Name, string(p.Language), "/e/" + code})
	}
	body, err := json.Marshal(phones)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+h.config.SandboxListen+"/sandbox/phones", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("hand out phones: %w", err)
	}
	defer res.Body.Close()
	if res.StatusCode >= 300 {
		return fmt.Errorf("hand out phones: the sandbox answered %s", res.Status)
	}
	return nil
}
