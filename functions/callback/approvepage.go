package callback

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"net/url"
	"strings"
	"time"

	"behalf.dev/behalf/shared/apigw"
	"behalf.dev/behalf/shared/approval"
	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/tenant"
	"behalf.dev/behalf/shared/toolcall"
	"behalf.dev/behalf/shared/webpage"
	"behalf.dev/behalf/shared/workspace"
)

// approver is one visit of an approver's browser.
type approver struct {
	w      workspace.Workspace
	desk   *approval.Desk
	link   approval.Link
	token  string
	cookie string
	brand  webpage.Brand
}

// here adds to an error whose page it belongs on.
func (v approver) here(err error) error { return &webpage.Failed{Err: err, Brand: v.brand} }

// visit finds the link behind a token: first under credentials that own nothing, then under those of its principal.
func (f *Function) visit(ctx context.Context, r *apigw.Request) (v approver, err error) {
	if v.token, err = r.Path("token"); err != nil {
		return v, err
	}
	t, err := approval.TenantOf(v.token)
	if err != nil {
		return v, err
	}
	v.cookie = r.Cookie(f.approvalCookie(v.token))
	if v.w, err = f.workspaceFor(ctx, tenant.Scope{Tenant: t, Principal: nobody}); err != nil {
		return v, err
	}
	if v.link, err = f.desk(v.w).Find(ctx, v.token); err != nil {
		return v, err
	}
	if v.w, err = f.workspaceFor(ctx, v.link.Scope); err != nil {
		return v, err
	}
	v.desk = f.desk(v.w)
	v.brand, err = brand(ctx, v.w, v.link.Tenant)
	return v, err
}

// approvalCookie is a cookie of its own for each link, so that two can be open side by side.
func (f *Function) approvalCookie(token string) string {
	h := sha256.Sum256([]byte(token))
	name := "behalf_approve_" + hex.EncodeToString(h[:6])
	if strings.HasPrefix(f.public, "https://") { // RFC 6265bis, section 4.1.3.2
		return "__Host-" + name
	}
	return name
}

// showApproval shows the request, and its arguments to the browser that opened the link.
func (f *Function) showApproval(ctx context.Context, r *apigw.Request) (*apigw.Response, error) {
	v, err := f.visit(ctx, r)
	if err != nil {
		return nil, err
	}
	a, err := v.desk.Show(ctx, v.link)
	if err != nil {
		return nil, v.here(err)
	}
	data, err := f.request(ctx, v, a)
	if err != nil {
		return nil, err
	}
	if v.link.Mine(v.cookie) {
		input, err := v.desk.Arguments(ctx, a)
		if err != nil {
			return nil, err
		}
		if data["Arguments"], err = readable(input); err != nil {
			return nil, err
		}
		data["Form"] = approval.FormToken(v.token, v.cookie)
		data["MaxNote"] = approval.MaxNote
	}
	return f.pages.approve(v.brand, data)
}

// request is what the page says about a call, but for its arguments.
func (f *Function) request(ctx context.Context, v approver, a toolcall.Approval) (map[string]any, error) {
	t, err := v.w.DB.Tenant(ctx, a.Tenant)
	if err != nil {
		return nil, err
	}
	spec, err := f.catalog.Connector(a.Connector)
	if err != nil {
		return nil, err
	}
	title, description := "A request to the API of "+spec.Name, "The agent wrote this request itself; no tool describes what it does."
	if _, tool, err := f.catalog.Tool(a.Tool); err == nil {
		title, description = cmp.Or(tool.Title, tool.Name), tool.Description
	}
	c, err := v.w.DB.Connection(ctx, connection.Ref{Scope: a.Scope, Connector: a.Connector, ID: a.Connection})
	if err != nil {
		return nil, err
	}
	return map[string]any{"Tenant": cmp.Or(t.Name, string(t.ID)), "Connector": spec.Name, "Tool": title, "ToolName": a.Tool, "Description": description, "Effect": string(a.Effect), "EffectText": effectText(a.Effect),
		"Agent": visible(a.Agent), "Run": visible(a.Run), "Principal": visible(string(a.Principal)), "Account": visible(cmp.Or(c.Account.Login, c.Account.Name, c.Account.Email, c.Account.ID)),
		"Reason": visible(a.Reason), "Approver": visible(v.link.Approver), "Asked": a.Asked.UTC().Format("2 January 2006, 15:04 UTC"), "Expires": v.link.Expires.UTC().Format("15:04 UTC")}, nil
}

func effectText(e catalog.Effect) string {
	switch e {
	case catalog.EffectRead:
		return "It reads, and changes nothing"
	case catalog.EffectDestructive:
		return "It deletes or overwrites; that may be for good"
	}
	return "It changes something"
}

// answerApproval takes the page's forms: the first opens the link in this browser, the others decide.
func (f *Function) answerApproval(ctx context.Context, r *apigw.Request) (*apigw.Response, error) {
	form, err := approvalForm(r)
	if err != nil {
		return nil, err
	}
	v, err := f.visit(ctx, r)
	if err != nil {
		return nil, err
	}
	switch action := form.Get("action"); action {
	case "open":
		return f.openApproval(ctx, v)
	case "approve", "refuse":
		note := form.Get("note")
		if err := approval.CheckNote("note", note); err != nil {
			return nil, err
		}
		a, err := v.desk.Answer(ctx, v.link, v.token, v.cookie, form.Get("form"), action == "approve", note)
		if fault.Is(err, fault.Conflict) && v.answered(ctx, &a, form) {
			err = nil
		}
		if err != nil {
			return nil, v.here(err)
		}
		return f.approved(ctx, v, a)
	}
	return nil, fault.Invalid("action", "this form is not one of ours; open the link again")
}

// answered reports that this very page gave this very answer a moment ago, and fills in a: a double click sends a form twice, and
// the browser shows only what the second one gets.
func (v approver) answered(ctx context.Context, a *toolcall.Approval, form url.Values) bool {
	if !v.link.Mine(v.cookie) || subtle.ConstantTimeCompare([]byte(form.Get("form")), []byte(approval.FormToken(v.token, v.cookie))) != 1 {
		return false
	}
	now, err := v.desk.Get(ctx, v.link.Scope, v.link.Approval)
	want := toolcall.ApprovalGranted
	if form.Get("action") == "refuse" {
		want = toolcall.ApprovalRefused
	}
	*a = now
	return err == nil && now.Status == want && now.DecidedBy == v.link.Approver && now.Asked.Equal(v.link.Asked)
}

// approvalForm reads a form that our own page sent. Browsers say where a form comes from (Fetch Metadata); those that do
// not are held by the cookie and the form's token.
func approvalForm(r *apigw.Request) (url.Values, error) {
	if site := r.Header("Sec-Fetch-Site"); site != "" && site != "same-origin" {
		return nil, fault.New(fault.Forbidden, "this answer does not come from our page; open the link again").With("reason", "cross_site")
	}
	b, err := r.BodyUpTo(16 << 10)
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(b))
	if err != nil {
		return nil, fault.New(fault.InvalidInput, "the form cannot be read").WithCause(err)
	}
	for k, v := range form {
		if len(v) > 1 {
			return nil, fault.Invalid("form", "the form names %.20q twice", k)
		}
	}
	return form, nil
}

func (f *Function) openApproval(ctx context.Context, v approver) (*apigw.Response, error) {
	if _, err := v.desk.Show(ctx, v.link); err != nil {
		return nil, v.here(err)
	}
	value, err := v.desk.Open(ctx, v.link, v.cookie)
	if err != nil {
		return nil, v.here(err)
	}
	res := webpage.SeeOther(f.public + "/approve/" + url.PathEscape(v.token))
	res.Header.Set("Set-Cookie", f.approvalCookieFor(v, value, int(v.link.Expires.Sub(f.deps.Now())/time.Second)))
	return res, nil
}

// approvalCookieFor is Lax: whoever comes from the application a second time must still be known.
func (f *Function) approvalCookieFor(v approver, value string, age int) string {
	c := http.Cookie{Name: f.approvalCookie(v.token), Value: value, Path: "/", MaxAge: age, HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: strings.HasPrefix(f.public, "https://")}
	return c.String()
}

// approved says what happens next.
func (f *Function) approved(ctx context.Context, v approver, a toolcall.Approval) (*apigw.Response, error) {
	data, err := f.request(ctx, v, a)
	if err != nil {
		return nil, err
	}
	data["Approved"] = a.Status == toolcall.ApprovalGranted
	data["Until"] = a.Expires.UTC().Format("15:04 UTC")
	res, err := f.pages.approved(v.brand, data)
	if err != nil {
		return nil, err
	}
	res.Header.Set("Set-Cookie", f.approvalCookieFor(v, "", -1))
	return res, nil
}
