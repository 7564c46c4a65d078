package emulator

import (
	"fmt"
	"slices"
	"time"
)

// slChannel is a channel of one workspace; a private one has members.
type slChannel struct {
	id, name, org string
	private       bool
	members       []string // logins; only asked for private channels
	messages      []slMessage
}

type slMessage struct {
	ts, user, bot, text string
}

func (s *slack) seed() {
	at := time.Date(2026, 9, 1, 9, 0, 0, 0, time.UTC)
	s.channels = []*slChannel{
		{id: "C0ACME0GEN", name: "general", org: "acme"},
		{id: "C0ACME0SAL", name: "sales", org: "acme"},
		{id: "C0ACME0LEA", name: "leads", org: "acme", private: true, members: []string{"alice"}},
		{id: "C0GLOB0GEN", name: "general", org: "globex"},
		{id: "C0GLOB0OPS", name: "operations", org: "globex"},
	}
	s.post(s.channels[0], slMessage{user: "U0ALICE001", text: "Welcome to Acme."}, at)
	s.post(s.channels[1], slMessage{user: "U0BOB00001", text: "Initech asked for a quote."}, at)
	s.post(s.channels[3], slMessage{user: "U0CAROL001", text: "Welcome to Globex."}, at)
}

// post appends a message under a timestamp that is unique in the workspace.
func (s *slack) post(ch *slChannel, m slMessage, at time.Time) slMessage {
	s.sent++
	m.ts = fmt.Sprintf("%d.%06d", at.Unix(), s.sent)
	ch.messages = append(ch.messages, m)
	return m
}

// channel finds a channel by id or name that the token may see.
func (s *slack) channel(c *call, ref string) *slChannel {
	i := slices.IndexFunc(s.channels, func(ch *slChannel) bool {
		return (ch.id == ref || "#"+ch.name == ref || ch.name == ref) && s.sees(c, ch)
	})
	if i < 0 {
		return nil
	}
	return s.channels[i]
}

// sees keeps workspaces apart and private channels to their members. A bot
// token stands for the app, which was not invited to private channels.
func (s *slack) sees(c *call, ch *slChannel) bool {
	if ch.org != c.who.Org {
		return false
	}
	return !ch.private || (c.token.Series == "user" && slices.Contains(ch.members, c.login()))
}

// author is who a message of this token is from.
func (s *slack) author(c *call) slMessage {
	if c.token.Series == "user" {
		return slMessage{user: c.who.ID}
	}
	bot := slBot(c.who.Org)
	return slMessage{user: bot.ID, bot: bot.Name}
}

func (m slMessage) view() object {
	out := object{"type": "message", "user": m.user, "text": m.text, "ts": m.ts}
	if m.bot != "" {
		out["bot_id"] = m.bot
	}
	return out
}

func (ch *slChannel) view(member bool) object {
	return object{"id": ch.id, "name": ch.name, "is_channel": !ch.private, "is_private": ch.private,
		"is_member": member, "is_archived": false}
}

func slTeam(org string) object {
	if org == "globex" {
		return object{"id": "T0GLOBEX01", "name": "Globex"}
	}
	return object{"id": "T0ACME0001", "name": "Acme"}
}

// slBot is the app's bot in a workspace: user id and bot id.
func slBot(org string) Person {
	if org == "globex" {
		return Person{ID: "U0GLOBBOT1", Name: "B0GLOBBOT1"}
	}
	return Person{ID: "U0ACMEBOT1", Name: "B0ACMEBOT1"}
}
