package emulator

import (
	"slices"
	"strconv"
	"time"
)

// ghRepo is a repository; members see it when it is private.
type ghRepo struct {
	id          int64
	owner, name string
	about       string
	private     bool
	members     []string
}

// ghIssue is an issue with the fields that clients read most.
type ghIssue struct {
	id        int64
	number    int
	title     string
	body      string
	state     string
	reason    string
	labels    []string
	author    string
	createdAt time.Time
	updatedAt time.Time
}

// seed makes private repositories per person and shared ones per company, so
// that the list differs by who asks.
func (g *github) seed() {
	add := func(owner, name, about string, private bool, members ...string) *ghRepo {
		g.nextID++
		r := &ghRepo{id: 70000 + g.nextID, owner: owner, name: name, about: about, private: private, members: members}
		g.repos = append(g.repos, r)
		return r
	}
	billing := add("acme", "billing", "Invoices and payment runs", true, "alice", "bob")
	add("acme", "website", "The public site", false, "alice", "bob")
	add("globex", "fulfilment", "Orders from cart to door", true, "carol", "dave")
	add("alice", "notes", "Alice's notebook", true, "alice")
	add("bob", "dotfiles", "Bob's shell", true, "bob")
	add("carol", "recipes", "Carol's kitchen", false, "carol")
	add("dave", "garden", "Dave's plant log", true, "dave")
	day := time.Date(2026, 9, 1, 9, 0, 0, 0, time.UTC)
	g.open(billing, "alice", "Rounding differs between invoice and ledger", "Seen on invoice 1042.", nil, day)
	g.open(billing, "bob", "Send reminders after 14 days", "", []string{"enhancement"}, day.Add(time.Hour))
}

// open files an issue.
func (g *github) open(r *ghRepo, author, title, body string, labels []string, at time.Time) *ghIssue {
	g.nextID++
	i := &ghIssue{id: 900000 + g.nextID, number: len(g.issues[r.id]) + 1, title: title, body: body, state: "open",
		labels: labels, author: author, createdAt: at, updatedAt: at}
	g.issues[r.id] = append(g.issues[r.id], i)
	return i
}

// find returns the repository if the token may see it. Private ones need
// membership and the scope repo, and are otherwise absent, not forbidden.
func (g *github) find(c *call) *ghRepo {
	i := slices.IndexFunc(g.repos, func(r *ghRepo) bool {
		return r.owner == c.r.PathValue("owner") && r.name == c.r.PathValue("repo")
	})
	if i < 0 || !g.visible(c, g.repos[i]) {
		return nil
	}
	return g.repos[i]
}

func (g *github) visible(c *call, r *ghRepo) bool {
	return !r.private || (slices.Contains(r.members, c.login()) && slices.Contains(c.token.Scopes, "repo"))
}

func (r *ghRepo) view(base string) object {
	full := r.owner + "/" + r.name
	visibility := "public"
	if r.private {
		visibility = "private"
	}
	return object{
		"id": r.id, "name": r.name, "full_name": full, "private": r.private, "visibility": visibility,
		"description": r.about, "owner": object{"login": r.owner}, "default_branch": "main",
		"url": base + "/github/api/repos/" + full, "html_url": base + "/github/" + full,
	}
}

func (i *ghIssue) view(base string, r *ghRepo, author *Person) object {
	path := r.owner + "/" + r.name + "/issues/" + strconv.Itoa(i.number)
	labels := []object{}
	for _, l := range i.labels {
		labels = append(labels, object{"name": l})
	}
	out := object{
		"id": i.id, "number": i.number, "title": i.title, "body": i.body, "state": i.state, "labels": labels,
		"state_reason": nil, "user": ghUser(base, *author),
		"created_at": i.createdAt.UTC().Format(time.RFC3339), "updated_at": i.updatedAt.UTC().Format(time.RFC3339),
		"url": base + "/github/api/repos/" + path, "html_url": base + "/github/" + path,
	}
	if i.reason != "" {
		out["state_reason"] = i.reason
	}
	return out
}

// ghUser is the short form of a user in other objects. IDs are numbers there.
func ghUser(base string, p Person) object {
	id, _ := strconv.Atoi(p.ID) // ids of the seed are digits
	return object{"login": p.Login, "id": id, "type": "User", "url": base + "/github/api/users/" + p.Login,
		"html_url": base + "/github/" + p.Login}
}
