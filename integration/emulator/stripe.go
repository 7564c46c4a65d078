package emulator

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// stripe speaks like Stripe's API with restricted keys.
//
// Sources: docs.stripe.com "Errors" and "Idempotent requests" (shapes: doc),
// wording of messages: assumed. A key's permissions are not emulated: a fault of
// mode error:permission orders a refusal.
type stripe struct {
	customers []*stCustomer
	payments  []*stPayment
	answers   map[string]reply // by idempotency key
	made      int
}

type stCustomer struct{ org, id, email, name, note string }

type stPayment struct {
	org, id, customer string
	amount, refunded  int
}

func newStripe() dialect {
	s := &stripe{answers: map[string]reply{}}
	for _, org := range []string{"acme", "globex"} {
		c := &stCustomer{org: org, id: s.id("cus_"), email: "jenny@" + org + ".example", name: "Jenny Rosen"}
		s.customers = append(s.customers, c)
		s.payments = append(s.payments, &stPayment{org: org, id: s.id("pi_"), customer: c.id, amount: 2000})
	}
	return s
}

func (s *stripe) traits() traits {
	return traits{
		name: "stripe", title: "Stripe",
		people: []Person{
			{Login: "alice", ID: "acct_1Alice", Name: "Acme Rockets", Email: "alice@acme.example", Org: "acme"},
			{Login: "bob", ID: "acct_1Bob", Name: "Acme Parts", Email: "bob@acme.example", Org: "acme"},
			{Login: "carol", ID: "acct_1Carol", Name: "Globex", Email: "carol@globex.example", Org: "globex"},
		},
		defaults: Settings{CodeTTLSeconds: 600, Rotation: RotationNone, OnReuse: ReuseError},
		shape: func(m mint, _ tokenKind, _ string, _ Person) string {
			return "rk_test_" + m.text(99)
		},
	}
}

// credential implements keyed.
func (s *stripe) credential(p *provider, who Person) (map[string]string, error) {
	return map[string]string{"api_key": p.key(who)}, nil
}

func (s *stripe) routes() []route {
	return []route{
		s.api("GET /v1/account", s.account),
		s.api("GET /v1/customers/search", s.search),
		s.api("POST /v1/customers", s.createCustomer),
		s.api("GET /v1/payment_intents", s.listPayments),
		s.api("POST /v1/refunds", s.refund),
	}
}

// api wants a live key, and answers a repeated idempotency key as before.
func (s *stripe) api(pattern string, do func(*call) reply) route {
	return route{pattern, KindAPI, func(c *call) reply {
		if why := c.authenticated(); why != nil {
			return s.refuse(c, *why)
		}
		key := c.r.Header.Get("Idempotency-Key")
		if before, ok := s.answers[c.login()+"|"+key]; ok && key != "" {
			return before.set("Idempotent-Replayed", "true")
		}
		out := do(c)
		if key != "" {
			s.answers[c.login()+"|"+key] = out
		}
		return out
	}}
}

func (s *stripe) refuse(_ *call, why refusal) reply {
	kind, code, text, status := "invalid_request_error", "", "", http.StatusBadRequest
	switch why.reason {
	case reasonNoToken, reasonBadToken, reasonTokenRevoked:
		status, text = http.StatusUnauthorized, "Invalid API Key provided: rk_test_*******"
	case reasonTokenExpired:
		status, code, text = http.StatusUnauthorized, "api_key_expired", "Expired API Key provided: rk_test_*******"
	case reasonRateLimited:
		status, code, text = http.StatusTooManyRequests, "rate_limit", "Request rate limit exceeded."
	case reasonNotFound:
		status, code, text = http.StatusNotFound, "resource_missing", "Unrecognized request URL or no such object."
	case reasonStatus:
		status, kind, text = why.status, "api_error", http.StatusText(why.status)
	case reasonCoded:
		status, code, text = http.StatusForbidden, why.code, "The provided key does not have the required permissions for this endpoint."
	case reasonRequest:
		code, text = "parameter_missing", "Missing required param."
	}
	body := object{"type": kind, "message": text}
	if code != "" {
		body["code"] = code
	}
	out := jsonReply(status, object{"error": body}).failed(strings.TrimSpace(kind + " " + code))
	if why.retryAfter > 0 {
		out = out.set("Retry-After", strconv.Itoa(why.retryAfter))
	}
	return out
}

func (s *stripe) id(prefix string) string {
	s.made++
	return fmt.Sprintf("%sEmulated%06d", prefix, s.made)
}

func (s *stripe) account(c *call) reply {
	return jsonReply(http.StatusOK, object{"id": c.who.ID, "object": "account", "email": c.who.Email, "country": "DE", "default_currency": "eur",
		"charges_enabled": true, "payouts_enabled": true, "business_profile": object{"name": c.who.Name}, "settings": object{"dashboard": object{"display_name": c.who.Name}}})
}

func (x *stCustomer) view() object {
	return object{"id": x.id, "object": "customer", "email": x.email, "name": x.name, "description": x.note, "delinquent": false, "address": nil}
}

// search knows email:'…' and name~'…'.
func (s *stripe) search(c *call) reply {
	field, value, ok := strings.Cut(strings.NewReplacer(":", "~", "'", "", `"`, "").Replace(c.arg("query")), "~")
	if !ok {
		return s.refuse(c, refusal{reason: reasonRequest})
	}
	data := []object{}
	for _, x := range s.customers {
		has := map[string]string{"email": x.email, "name": x.name}[strings.TrimSpace(field)]
		if x.org == c.who.Org && strings.Contains(strings.ToLower(has), strings.ToLower(value)) {
			data = append(data, x.view())
		}
	}
	return jsonReply(http.StatusOK, object{"object": "search_result", "url": "/v1/customers/search", "has_more": false, "data": data})
}

func (s *stripe) createCustomer(c *call) reply {
	x := &stCustomer{org: c.who.Org, id: s.id("cus_"), email: c.bodyArg("email"), name: c.bodyArg("name"), note: c.bodyArg("description")}
	s.customers = append(s.customers, x)
	return jsonReply(http.StatusOK, x.view())
}

func (s *stripe) listPayments(c *call) reply {
	data := []object{}
	for _, p := range s.payments {
		if of := c.arg("customer"); p.org == c.who.Org && (of == "" || of == p.customer) {
			data = append(data, object{"id": p.id, "object": "payment_intent", "amount": p.amount, "amount_received": p.amount, "currency": "eur", "status": "succeeded", "customer": p.customer})
		}
	}
	return jsonReply(http.StatusOK, object{"object": "list", "has_more": false, "data": data})
}

func (s *stripe) refund(c *call) reply {
	for _, p := range s.payments {
		if p.org != c.who.Org || p.id != c.bodyArg("payment_intent") {
			continue
		}
		amount := p.amount - p.refunded
		if n, err := strconv.Atoi(c.bodyArg("amount")); err == nil {
			amount = n
		}
		if amount <= 0 || p.refunded+amount > p.amount {
			return s.refuse(c, refusal{reason: reasonRequest})
		}
		p.refunded += amount
		return jsonReply(http.StatusOK, object{"id": s.id("re_"), "object": "refund", "amount": amount, "currency": "eur", "status": "succeeded", "payment_intent": p.id, "reason": c.bodyArg("reason")})
	}
	return s.refuse(c, refusal{reason: reasonNotFound})
}
