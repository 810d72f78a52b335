package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"github.com/pocketbase/pocketbase/core"
)

// maxBody bounds a webhook, in bytes.
const maxBody = 256 << 10

// A webhook is what this program reads of a body.
type webhook struct {
	TriggerEvent string `json:"triggerEvent"`
	Payload      struct {
		UID       string `json:"uid"`
		StartTime string `json:"startTime"`
		Metadata  struct {
			SubmissionID string `json:"submissionId"`
		} `json:"metadata"`
	} `json:"payload"`
}

// receive takes one delivery: 200 once it is kept, 401 if it is not signed.
func receive(secret []byte) func(*core.RequestEvent) error {
	return func(e *core.RequestEvent) error {
		body, err := io.ReadAll(http.MaxBytesReader(e.Response, e.Request.Body, maxBody))
		if err != nil {
			return e.BadRequestError("body incomplete or too large", err)
		}
		mac := hmac.New(sha256.New, secret)
		mac.Write(body)
		given, err := hex.DecodeString(e.Request.Header.Get("X-Cal-Signature-256"))
		if err != nil || !hmac.Equal(given, mac.Sum(nil)) {
			return e.UnauthorizedError("signature missing or wrong", nil)
		}
		var w webhook
		if err := json.Unmarshal(body, &w); err != nil {
			return e.Error(http.StatusUnprocessableEntity, "not understood", nil)
		}
		result := "stored"
		if err := e.App.RunInTransaction(func(tx core.App) error {
			isNew, err := keepEvent(tx, body, w)
			if err != nil {
				return err
			}
			if !isNew {
				result = "already stored"
				return nil
			}
			return moveLead(tx, w)
		}); err != nil {
			return e.InternalServerError("could not be stored", err)
		}
		return e.JSON(http.StatusOK, map[string]string{"result": result})
	}
}

// keepEvent keeps a body, once. Transactions write one after another, so that
// nobody comes between the look and the insert.
func keepEvent(tx core.App, body []byte, w webhook) (isNew bool, err error) {
	sum := sha256.Sum256(body)
	digest := hex.EncodeToString(sum[:])
	if _, err := tx.FindFirstRecordByData("events", "digest", digest); err == nil {
		return false, nil
	} else if !errors.Is(err, sql.ErrNoRows) {
		return false, err
	}
	events, err := tx.FindCachedCollectionByNameOrId("events")
	if err != nil {
		return false, err
	}
	record := core.NewRecord(events)
	record.Load(map[string]any{"digest": digest, "trigger": w.TriggerEvent, "uid": w.Payload.UID, "body": string(body)})
	return true, tx.Save(record)
}

// moveLead sets the stage of the lead that the booking names, if there is one.
func moveLead(tx core.App, w webhook) error {
	if w.TriggerEvent != "BOOKING_CREATED" || w.Payload.Metadata.SubmissionID == "" {
		return nil
	}
	lead, err := tx.FindFirstRecordByData("leads", "reference", w.Payload.Metadata.SubmissionID)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	lead.Load(map[string]any{"stage": "booked", "booking": w.Payload.UID, "starts": w.Payload.StartTime})
	return tx.Save(lead)
}
