package browser_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"html"
	"image"
	"image/color"
	"image/png"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"behalf.dev/behalf/integration/e2e"
)

// saas is a product that uses Behalf. It knows its user by a cookie, makes links for that user alone, and confirms as that
// user on its return page, whatever the page's address claims.
type saas struct {
	*httptest.Server
	t      *testing.T
	f      *e2e.Fixture
	mu     sync.Mutex
	visits []url.Values // of the return page
}

func newSaaS(t *testing.T, f *e2e.Fixture) *saas {
	t.Helper()
	f.Back(t, "PUT", "/v1/tenants/acme", e2e.Object{"name": "Acme"}).Want(t, 200)
	s := &saas{t: t, f: f}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /login/{user}", func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "product_user", Value: r.PathValue("user"), Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode})
		show(w, "Signed in as "+r.PathValue("user"))
	})
	mux.HandleFunc("GET /connected", s.connected)
	mux.HandleFunc("GET /attack", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = fmt.Fprintf(w, `<!doctype html><form method="post" action="%s"></form><script>document.forms[0].submit()</script>`, html.EscapeString(r.FormValue("to")))
	})
	s.Server = httptest.NewServer(mux)
	// Another site than Behalf's, as a product is: browsers send its requests to Behalf as cross-site ones.
	s.URL = strings.Replace(s.URL, "127.0.0.1", "localhost", 1)
	t.Cleanup(s.Close)
	return s
}

func (s *saas) connected(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.visits = append(s.visits, r.URL.Query())
	s.mu.Unlock()
	user, err := r.Cookie("product_user")
	if err != nil {
		show(w, "Who are you?")
		return
	}
	a, err := s.f.Try(e2e.Request{Method: "POST", Path: "/v1/connect-links/" + url.PathEscape(r.URL.Query().Get("connect_link")) + "/confirm", Token: s.f.APIKey(), Body: e2e.Object{"principal": user.Value}})
	if err != nil {
		show(w, "Behalf did not answer")
		return
	}
	show(w, fmt.Sprintf("%s: %s %s%s", user.Value, r.URL.Query().Get("status"), a.Text("connection.status"), a.Text("code")))
}

func show(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = fmt.Fprintf(w, `<!doctype html><html lang="en"><title>Product</title><h1 id="product">%s</h1>`, html.EscapeString(text))
}

// lastVisit is the query with which the return page was opened last.
func (s *saas) lastVisit() url.Values {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.visits) == 0 {
		s.t.Fatal("nobody came to the return page")
	}
	return s.visits[len(s.visits)-1]
}

// logo is a small picture, as a data URL.
func logo(t *testing.T) string {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, 64, 64))
	for i := range 64 * 64 {
		if x, y := i%64-32, i/64-32; x*x+y*y < 28*28 {
			img.Set(i%64, i/64, color.RGBA{0x4a, 0x15, 0x4b, 0xff})
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return "data:image/png;base64," + base64.StdEncoding.EncodeToString(b.Bytes())
}

// link makes a connect link that returns to the product.
func (s *saas) link(principal, connector string, more e2e.Object) e2e.Answer {
	s.t.Helper()
	body := e2e.Object{"return_url": s.URL + "/connected"}
	for k, v := range more {
		body[k] = v
	}
	return s.f.Link(s.t, "acme", principal, connector, body)
}

// signIn makes p the product's user.
func (s *saas) signIn(p *person, user string) {
	s.t.Helper()
	p.open(s.URL + "/login/" + user)
	p.see("#product")
}
