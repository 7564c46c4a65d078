package emulator

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// sfRecord is one row; values hold Id, OwnerId and dates too.
type sfRecord struct {
	org, kind string
	values    map[string]any
}

func (r *sfRecord) id() string { return fmt.Sprint(r.values["Id"]) }

// seed gives each org accounts that everybody sees and opportunities that only
// their owner sees, so that the answer depends on who asks.
func (s *salesforce) seed() {
	at := time.Date(2026, 9, 1, 9, 0, 0, 0, time.UTC)
	const alice, bob = "0055g00000AliceAAA", "0055g00000Bob00AAA"
	const carol, dave = "0055g00000CarolAAA", "0055g00000Dave0AAA"
	account := func(org, owner, name, industry string) string {
		return s.add(org, "Account", owner, map[string]any{"Name": name, "Industry": industry}, at).id()
	}
	deal := func(org, owner, accountID, name, stage string, amount float64) {
		s.add(org, "Opportunity", owner, map[string]any{"Name": name, "StageName": stage, "Amount": amount,
			"AccountId": accountID, "CloseDate": "2026-12-31"}, at)
	}
	initech := account("acme", alice, "Initech", "Software")
	hooli := account("acme", bob, "Hooli", "Internet")
	deal("acme", alice, initech, "Initech renewal", "Negotiation", 48000)
	deal("acme", bob, hooli, "Hooli pilot", "Qualification", 9000)
	umbrella := account("globex", carol, "Umbrella", "Pharma")
	deal("globex", carol, umbrella, "Umbrella rollout", "Proposal", 120000)
	stark := account("globex", dave, "Stark Industries", "Energy")
	deal("globex", dave, stark, "Stark audit", "Closed Won", 31000)
	s.add("acme", "Contact", alice, map[string]any{"FirstName": "Peter", "LastName": "Gibbons",
		"Email": "peter@initech.example", "AccountId": initech}, at)
}

// sfFields lists the fields of an object type, or says that there is no such
// type.
func sfFields(kind string) ([]string, bool) {
	own, ok := map[string][]string{
		"Account":     {"Name", "Industry", "Website", "Phone", "Description"},
		"Contact":     {"FirstName", "LastName", "Email", "Phone", "AccountId"},
		"Opportunity": {"Name", "StageName", "Amount", "CloseDate", "AccountId", "Description"},
		"Lead":        {"FirstName", "LastName", "Company", "Email", "Status"},
		"Task":        {"Subject", "Status", "Priority", "Description", "WhatId"},
	}[kind]
	return append([]string{"Id"}, append(own, "OwnerId", "CreatedDate", "LastModifiedDate")...), ok
}

// sfRequired is the one field that a new record must bring.
func sfRequired(kind string) string {
	switch kind {
	case "Contact", "Lead":
		return "LastName"
	case "Task":
		return "Subject"
	}
	return "Name"
}

// add stores a record under a new 18-character id with the type's real prefix.
func (s *salesforce) add(org, kind, owner string, values map[string]any, at time.Time) *sfRecord {
	s.made++
	prefix := map[string]string{"Account": "001", "Contact": "003", "Opportunity": "006", "Lead": "00Q", "Task": "00T"}[kind]
	r := &sfRecord{org: org, kind: kind, values: map[string]any{"OwnerId": owner}}
	maps.Copy(r.values, values)
	r.values["Id"] = fmt.Sprintf("%s5g%010dAAA", prefix, s.made)
	r.values["CreatedDate"], r.values["LastModifiedDate"] = sfTime(at), sfTime(at)
	s.records = append(s.records, r)
	return r
}

func sfTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000+0000") }

// visible applies the sharing model: one's own org, and of opportunities only
// one's own.
func (s *salesforce) visible(c *call, kind string) []*sfRecord {
	var out []*sfRecord
	for _, r := range s.records {
		if r.kind == kind && r.org == c.who.Org && (kind != "Opportunity" || r.values["OwnerId"] == c.who.ID) {
			out = append(out, r)
		}
	}
	return out
}

// record finds the record of the path; ids work with 15 and 18 characters.
func (s *salesforce) record(c *call) *sfRecord {
	id := c.r.PathValue("id")
	all := s.visible(c, c.r.PathValue("object"))
	i := slices.IndexFunc(all, func(r *sfRecord) bool { return r.id() == id || r.id()[:15] == id })
	if i < 0 {
		return nil
	}
	return all[i]
}

// view is the record with the named fields; those never set are null.
func (r *sfRecord) view(c *call, fields []string) object {
	out := object{"attributes": object{"type": r.kind,
		"url": "/services/data/" + c.r.PathValue("version") + "/sobjects/" + r.kind + "/" + r.id()}}
	for _, f := range fields {
		out[f] = r.values[f]
	}
	return out
}
