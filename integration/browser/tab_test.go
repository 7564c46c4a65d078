package browser_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
)

// person is somebody at a browser of their own: no cookie is shared with another person's.
type person struct {
	t   *testing.T
	ctx context.Context
	own cdp.BrowserContextID
}

// newPerson opens a browser.
func newPerson(t *testing.T) *person {
	t.Helper()
	e := chromiumOf()
	if e.err != nil {
		t.Fatal(e.err)
	}
	// By hand, and not with chromedp's option: a new context of today's headless mode needs a window to open a tab in.
	browser := cdp.WithExecutor(e.ctx, chromedp.FromContext(e.ctx).Browser)
	own, err := target.CreateBrowserContext().Do(browser)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := target.DisposeBrowserContext(own).Do(browser); err != nil {
			t.Errorf("close the browser: %v", err)
		}
	})
	return (&person{t: t, own: own}).tab()
}

// tab opens one more tab of the same browser.
func (p *person) tab() *person {
	p.t.Helper()
	e := chromiumOf()
	tab, err := target.CreateTarget("about:blank").WithBrowserContextID(p.own).WithNewWindow(true).Do(cdp.WithExecutor(e.ctx, chromedp.FromContext(e.ctx).Browser))
	if err != nil {
		p.t.Fatal(err)
	}
	ctx, closeTab := chromedp.NewContext(e.ctx, chromedp.WithTargetID(tab))
	p.t.Cleanup(closeTab)
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	p.t.Cleanup(cancel)
	q := &person{p.t, ctx, p.own}
	q.do("open a tab", network.Enable(), emulation.SetDeviceMetricsOverride(900, 900, 1, false))
	return q
}

// back presses the back button and waits for what the page before must have. The debugger's own way waits for a load that a
// page out of the browser's cache does not do.
func (p *person) back(then string) {
	p.t.Helper()
	p.do("go back", chromedp.Evaluate(`setTimeout(() => history.back(), 0)`, nil))
	p.see(then)
}

// forget drops all cookies.
func (p *person) forget() {
	p.t.Helper()
	p.do("forget cookies", network.ClearBrowserCookies())
}

// history is the addresses that the back button leads to.
func (p *person) history() (out []string) {
	p.t.Helper()
	p.do("read the history", chromedp.ActionFunc(func(ctx context.Context) error {
		_, entries, err := page.GetNavigationHistory().Do(ctx)
		for _, e := range entries {
			out = append(out, e.URL)
		}
		return err
	}))
	return out
}

func (p *person) do(what string, a ...chromedp.Action) {
	p.t.Helper()
	if err := chromedp.Run(p.ctx, a...); err != nil {
		p.t.Fatalf("%s: %v", what, err)
	}
}

// open loads a page and waits for its heading.
func (p *person) open(url string) {
	p.t.Helper()
	p.do("open "+url, chromedp.Navigate(url), chromedp.WaitReady("body"))
}

// click presses what the selector finds, with the mouse, and waits for then, which the page behind must have.
func (p *person) click(selector, then string) {
	p.t.Helper()
	x, y := p.middle(selector)
	p.do("click "+selector, chromedp.MouseClickXY(x, y))
	p.see(then)
}

// doubleClick presses twice, as people do.
func (p *person) doubleClick(selector, then string) {
	p.t.Helper()
	x, y := p.middle(selector)
	p.do("double click "+selector, chromedp.MouseClickXY(x, y), chromedp.MouseClickXY(x, y, chromedp.ClickCount(2)))
	p.see(then)
}

// middle is where on the screen an element is, which is scrolled to.
func (p *person) middle(selector string) (x, y float64) {
	p.t.Helper()
	p.see(selector)
	var at []float64
	p.eval(`(() => { const e = document.querySelector(`+strconv.Quote(selector)+`); e.scrollIntoView({block:'center'}); const r = e.getBoundingClientRect(); return [r.x+r.width/2, r.y+r.height/2] })()`, &at)
	return at[0], at[1]
}

// see waits until the page is loaded and shows sel. It asks the page itself, again and again: what chromedp knows of the document
// is lost on pages that come out of the browser's cache.
func (p *person) see(sel string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, 15*time.Second)
	defer cancel()
	again := time.NewTicker(40 * time.Millisecond)
	defer again.Stop()
	for {
		var shown bool
		err := chromedp.Run(ctx, chromedp.Evaluate(`document.readyState === 'complete' && !!document.querySelector(`+strconv.Quote(sel)+`)?.checkVisibility()`, &shown))
		if err == nil && shown {
			return
		}
		select {
		case <-ctx.Done():
			p.t.Fatalf("%q does not appear; at %s the page says\n%.800s", sel, p.at(), p.text())
		case <-again.C:
		}
	}
}

// at is the address of the page.
func (p *person) at() (out string) {
	p.t.Helper()
	p.do("read the address", chromedp.Location(&out))
	return out
}

// text is what the page shows.
func (p *person) text() (out string) {
	p.t.Helper()
	p.do("read the page", chromedp.Evaluate(`document.body.innerText`, &out))
	return out
}

// says fails the test unless the page shows each of the texts.
func (p *person) says(want ...string) {
	p.t.Helper()
	text := p.text()
	for _, w := range want {
		if !strings.Contains(text, w) {
			p.t.Errorf("the page does not say %q:\n%.1200s", w, text)
		}
	}
}

// eval runs a script, which may wait, in the page. Our pages run none: this is the debugger's way, which no policy stops.
func (p *person) eval(js string, into any) {
	p.t.Helper()
	p.do("evaluate", chromedp.Evaluate(js, into, func(e *runtime.EvaluateParams) *runtime.EvaluateParams { return e.WithAwaitPromise(true) }))
}

func (p *person) scheme(s string) {
	p.t.Helper()
	p.do("set the colour scheme", emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: s}, {Name: "prefers-reduced-motion", Value: "reduce"}}))
}

func (p *person) width(w int64) {
	p.t.Helper()
	p.do("resize", emulation.SetDeviceMetricsOverride(w, 900, 1, w < 500))
}

// inspect takes pictures of the page, light, dark and on a phone, and fails the test on anything that axe calls serious, on
// text that is wider than a phone, and on anything that the page loaded from elsewhere.
func (p *person) inspect(name string) {
	p.t.Helper()
	for _, scheme := range []string{"light", "dark"} {
		p.scheme(scheme)
		p.shot(name + "-" + scheme)
		p.axe(name + " " + scheme)
	}
	p.scheme("light")
	p.width(360)
	p.shot(name + "-360")
	var wide int
	p.eval(`document.documentElement.scrollWidth`, &wide)
	if wide > 360 {
		p.t.Errorf("%s: %d pixels wide on a phone of 360", name, wide)
	}
	p.axe(name + " phone")
	p.width(900)
	var foreign []string
	p.eval(`performance.getEntriesByType('resource').map(r => r.name).filter(n => !n.startsWith('data:') && !n.endsWith('/favicon.ico'))`, &foreign)
	if len(foreign) > 0 {
		p.t.Errorf("%s loads %v", name, foreign)
	}
}

// shot keeps a picture of the whole page.
func (p *person) shot(name string) {
	p.t.Helper()
	var png []byte
	p.do("take a picture", chromedp.FullScreenshot(&png, 100))
	dir := os.Getenv("BEHALF_SCREENSHOTS")
	if dir == "" {
		dir = filepath.Join("..", "..", "build", "screenshots")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644); err != nil {
		p.t.Fatal(err)
	}
}

// axeVersion is pinned: another version has other rules.
const axeVersion = "4.14.1"

// axe runs the accessibility rules of WCAG 2.2 A and AA and axe's own best practices over the page.
func (p *person) axe(where string) {
	p.t.Helper()
	src, err := os.ReadFile(filepath.Join(npm(p.t, "axe-core", axeVersion), "axe-core", "axe.min.js"))
	if err != nil {
		p.t.Fatal(err)
	}
	var found string
	p.eval(string(src)+`;axe.run(document,{resultTypes:['violations']}).then(r => JSON.stringify(r.violations.map(v => ({id:v.id, impact:v.impact, help:v.help, at:v.nodes.map(n => n.html+' — '+n.failureSummary)}))))`, &found)
	var list []struct {
		ID, Impact, Help string
		At               []string
	}
	if err := json.Unmarshal([]byte(found), &list); err != nil {
		p.t.Fatal(err)
	}
	for _, v := range list {
		if v.Impact == "serious" || v.Impact == "critical" {
			p.t.Errorf("%s: axe finds %s (%s): %s\n%s", where, v.ID, v.Impact, v.Help, strings.Join(v.At, "\n"))
		} else {
			p.t.Logf("%s: axe notes %s (%s): %s", where, v.ID, v.Impact, strings.Join(v.At, "\n"))
		}
	}
}
