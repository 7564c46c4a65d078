package emulator

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
)

func (s *slack) apiRoutes() []route {
	return []route{
		s.api("auth.test", nil, s.authTest),
		s.api("conversations.list", []string{"channels:read", "groups:read"}, s.listChannels),
		s.api("conversations.history", []string{"channels:history", "groups:history"}, s.history),
		s.api("chat.postMessage", []string{"chat:write"}, s.postMessage),
		s.api("chat.delete", []string{"chat:write"}, s.deleteMessage),
		s.api("users.info", []string{"users:read"}, s.userInfo),
	}
}

// api mounts a method; Slack takes GET and POST alike.
func (s *slack) api(method string, anyOf []string, do func(*call) reply) route {
	return route{"/api/" + method, KindAPI, func(c *call) reply {
		if why := c.authenticated(anyOf...); why != nil {
			return s.refuse(c, *why)
		}
		return slHeaders(c, do(c), anyOf)
	}}
}

// problem is an ok=false answer of a method.
func (s *slack) problem(c *call, code string) reply {
	return s.refuse(c, refusal{reason: reasonCoded, code: code})
}

func (s *slack) authTest(c *call) reply {
	team := slTeam(c.who.Org)
	body := object{"ok": true, "url": "https://" + c.who.Org + ".slack.example/", "team": team["name"], "team_id": team["id"],
		"user": c.who.Login, "user_id": c.who.ID, "is_enterprise_install": false}
	if c.token.Series == "bot" {
		body["bot_id"] = slBot(c.who.Org).Name
	}
	return jsonReply(http.StatusOK, body)
}

func (s *slack) listChannels(c *call) reply {
	types := splitScopes(c.arg("types"))
	if len(types) == 0 {
		types = []string{"public_channel"}
	}
	if slices.Contains(types, "private_channel") && !slices.Contains(c.token.Scopes, "groups:read") {
		return s.refuse(c, refusal{reason: reasonScope, needed: []string{"groups:read"}})
	}
	var all []object
	for _, ch := range s.channels {
		wanted := slices.Contains(types, map[bool]string{true: "private_channel", false: "public_channel"}[ch.private])
		if wanted && s.sees(c, ch) {
			all = append(all, ch.view(true))
		}
	}
	part, next, ok := slPage(c, all, 100)
	if !ok {
		return s.problem(c, "invalid_cursor")
	}
	return jsonReply(http.StatusOK, object{"ok": true, "channels": part, "response_metadata": object{"next_cursor": next}})
}

func (s *slack) history(c *call) reply {
	ch := s.channel(c, c.arg("channel"))
	if ch == nil {
		return s.problem(c, "channel_not_found")
	}
	var all []object
	for _, m := range slices.Backward(ch.messages) { // newest first
		all = append(all, m.view())
	}
	part, next, ok := slPage(c, all, 100)
	if !ok {
		return s.problem(c, "invalid_cursor")
	}
	return jsonReply(http.StatusOK, object{"ok": true, "messages": part, "has_more": next != "",
		"response_metadata": object{"next_cursor": next}})
}

func (s *slack) postMessage(c *call) reply {
	ch := s.channel(c, c.arg("channel"))
	if ch == nil {
		return s.problem(c, "channel_not_found")
	}
	m := s.author(c)
	if m.text = c.arg("text"); m.text == "" {
		return s.problem(c, "no_text")
	}
	m = s.post(ch, m, c.p.now())
	return jsonReply(http.StatusOK, object{"ok": true, "channel": ch.id, "ts": m.ts, "message": m.view()})
}

// deleteMessage removes what the same author sent; others' messages are refused.
func (s *slack) deleteMessage(c *call) reply {
	ch := s.channel(c, c.arg("channel"))
	if ch == nil {
		return s.problem(c, "channel_not_found")
	}
	i := slices.IndexFunc(ch.messages, func(m slMessage) bool { return m.ts == c.arg("ts") })
	if i < 0 {
		return s.problem(c, "message_not_found")
	}
	if ch.messages[i].user != s.author(c).user {
		return s.problem(c, "cant_delete_message")
	}
	ts := ch.messages[i].ts
	ch.messages = slices.Delete(ch.messages, i, i+1)
	return jsonReply(http.StatusOK, object{"ok": true, "channel": ch.id, "ts": ts})
}

func (s *slack) userInfo(c *call) reply {
	for _, x := range c.p.tr.people {
		if x.ID == c.arg("user") && x.Org == c.who.Org {
			return jsonReply(http.StatusOK, object{"ok": true, "user": object{"id": x.ID, "name": x.Login, "real_name": x.Name,
				"team_id": slTeam(x.Org)["id"]}})
		}
	}
	return s.problem(c, "user_not_found")
}

// slPage cuts a list by limit and cursor; the cursor is an opaque position.
func slPage(c *call, all []object, size int) (part []object, next string, ok bool) {
	if n, err := strconv.Atoi(c.arg("limit")); err == nil && n > 0 {
		size = min(n, 999)
	}
	from := 0
	if cursor := c.arg("cursor"); cursor != "" {
		n, err := strconv.Atoi(strings.TrimPrefix(cursor, "pos:"))
		if err != nil || n < 0 || n > len(all) {
			return nil, "", false
		}
		from = n
	}
	to := min(from+size, len(all))
	if to < len(all) {
		next = "pos:" + strconv.Itoa(to)
	}
	return append([]object{}, all[from:to]...), next, true
}
