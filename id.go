package handoff

import (
	"encoding/base32"
	"fmt"
	"strings"
)

// SubmissionID names one submission: "sub_" and 26 characters of base32, the
// TypeID form of a version 7 UUID. It is unique in an install.
type SubmissionID string

// LeadID names one lead: "lead_" and 26 characters, as SubmissionID.
type LeadID string

// FailureID names one entry of the failure queue: "fail_" and 26 characters.
type FailureID string

// crockford is the lower-case alphabet of the TypeID specification: no i, l, o, u.
var crockford = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// idLen is the length of an ID's suffix: 130 bits, of which the first two are 0.
const idLen = 26

// FormatID writes a 128-bit value, usually a version 7 UUID, as a TypeID with
// the prefix, such as "sub".
func FormatID(prefix string, uuid [16]byte) string {
	// base32 reads bits from the left; TypeID pads two zero bits on the left.
	// Shifting the value right by two bits in 17 bytes puts them there: 136 bits
	// make 28 characters, of which the last two carry padding only.
	var b [17]byte
	for i, v := range uuid {
		b[i] |= v >> 2
		b[i+1] |= v << 6
	}
	return prefix + "_" + crockford.EncodeToString(b[:])[:idLen]
}

// checkID returns ErrInvalid unless s is prefix, "_" and a TypeID suffix in its one
// canonical form, so that two different texts never name the same thing.
func checkID(prefix, s string) error {
	suffix, ok := strings.CutPrefix(s, prefix+"_")
	if !ok || len(suffix) != idLen || suffix[0] > '7' {
		return fmt.Errorf("%q is not a %s ID: %w", clip(s, 40), prefix, ErrInvalid)
	}
	for _, c := range suffix {
		if !strings.ContainsRune("0123456789abcdefghjkmnpqrstvwxyz", c) {
			return fmt.Errorf("%q is not a %s ID: %w", clip(s, 40), prefix, ErrInvalid)
		}
	}
	return nil
}

// ParseSubmissionID reads a submission's ID; the error is ErrInvalid.
func ParseSubmissionID(s string) (SubmissionID, error) {
	if err := checkID("sub", s); err != nil {
		return "", err
	}
	return SubmissionID(s), nil
}

// ParseLeadID reads a lead's ID; the error is ErrInvalid.
func ParseLeadID(s string) (LeadID, error) {
	if err := checkID("lead", s); err != nil {
		return "", err
	}
	return LeadID(s), nil
}

// ParseFailureID reads a failure's ID; the error is ErrInvalid.
func ParseFailureID(s string) (FailureID, error) {
	if err := checkID("fail", s); err != nil {
		return "", err
	}
	return FailureID(s), nil
}

// ParseResolutionID reads a resolution's ID; the error is ErrInvalid.
func ParseResolutionID(s string) (ResolutionID, error) {
	if err := checkID("res", s); err != nil {
		return "", err
	}
	return ResolutionID(s), nil
}

// CheckActID returns ErrInvalid for what is not the ID of a row of the audit log.
func CheckActID(s string) error { return checkID("act", s) }

// clip cuts s for a message.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return s[:n] + "…"
}
