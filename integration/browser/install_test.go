package browser_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// machine is where a Chromium is looked for, and installed.
type machine struct {
	// named is BEHALF_CHROMIUM.
	named string
	look  func(name string) (string, error)
	root  bool
	run   func(args ...string) error
}

func thisMachine() machine {
	return machine{named: os.Getenv("BEHALF_CHROMIUM"), look: exec.LookPath, root: os.Getuid() == 0, run: func(args ...string) error {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
		defer cancel()
		c := exec.CommandContext(ctx, args[0], args[1:]...)
		c.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if out, err := c.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%.2000s", strings.Join(args, " "), err, out)
		}
		return nil
	}}
}

// browsers are the names that Chromium goes by, and Chrome, which does as well.
var browsers = []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"}

// install is how Debian installs its own: as root, or by a sudo that asks nobody.
var install = [][]string{{"apt-get", "update"}, {"apt-get", "install", "-y", "--no-install-recommends", "chromium"}}

// chromium is the path of a Chromium: the one that is named, one that is there, or Debian's, which it installs where that is
// possible without asking anybody. The error says what to do.
func (m machine) chromium() (string, error) {
	const orName = "or name one with BEHALF_CHROMIUM"
	if m.named != "" {
		p, err := m.look(m.named)
		if err != nil {
			return "", fmt.Errorf("BEHALF_CHROMIUM names %s, which cannot be run: %w", m.named, err)
		}
		return p, nil
	}
	if p, ok := m.there(); ok {
		return p, nil
	}
	if _, err := m.look("apt-get"); err != nil {
		return "", fmt.Errorf("no Chromium found (%s), and this is no Debian that could install it: install one, %s", strings.Join(browsers, ", "), orName)
	}
	var prefix []string
	if !m.root {
		if _, err := m.look("sudo"); err != nil || m.run("sudo", "-n", "true") != nil {
			return "", fmt.Errorf("no Chromium found (%s), and only root can install it: sudo apt-get install chromium, %s", strings.Join(browsers, ", "), orName)
		}
		prefix = []string{"sudo", "-n"}
	}
	for _, args := range install {
		if err := m.run(slices.Concat(prefix, args)...); err != nil {
			return "", err
		}
	}
	p, ok := m.there()
	if !ok {
		return "", fmt.Errorf("apt-get installed chromium, and there is none to run (Ubuntu's package is a stub for snap): install Chrome, %s", orName)
	}
	return p, nil
}

func (m machine) there() (string, bool) {
	for _, n := range browsers {
		if p, err := m.look(n); err == nil {
			return p, true
		}
	}
	return "", false
}

// TestChromium_OnEachMachine_IsFoundInstalledOrAskedFor runs nothing: programs is what the machine has, and brings what apt-get makes of
// it.
func TestChromium_OnEachMachine_IsFoundInstalledOrAskedFor(t *testing.T) {
	t.Parallel()
	const apt, installs = "apt-get update", "apt-get install -y --no-install-recommends chromium"
	for name, c := range map[string]struct {
		named, programs, brings string
		root                    bool
		fails                   string
		want, says              string
		ran                     []string
	}{
		"there":                     {programs: "chromium apt-get", want: "/usr/bin/chromium"},
		"Chrome is there":           {programs: "google-chrome", want: "/usr/bin/google-chrome"},
		"named":                     {named: "my-chrome", programs: "my-chrome chromium", want: "/usr/bin/my-chrome"},
		"named, and not there":      {named: "my-chrome", programs: "chromium", says: "BEHALF_CHROMIUM names my-chrome"},
		"bare Debian, root":         {programs: "apt-get", brings: "chromium", root: true, want: "/usr/bin/chromium", ran: []string{apt, installs}},
		"bare Debian, sudo":         {programs: "apt-get sudo", brings: "chromium", want: "/usr/bin/chromium", ran: []string{"sudo -n true", "sudo -n " + apt, "sudo -n " + installs}},
		"sudo that asks":            {programs: "apt-get sudo", fails: "sudo -n true", says: "sudo apt-get install chromium", ran: []string{"sudo -n true"}},
		"bare Debian, nobody":       {programs: "apt-get", says: "sudo apt-get install chromium"},
		"no Debian":                 {programs: "sudo", root: true, says: "install one"},
		"no network":                {programs: "apt-get", root: true, fails: apt, says: apt, ran: []string{apt}},
		"Ubuntu's stub, no browser": {programs: "apt-get", root: true, says: "stub for snap", ran: []string{apt, installs}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			has, ran := strings.Fields(c.programs), []string(nil)
			m := machine{named: c.named, root: c.root, look: func(n string) (string, error) {
				if slices.Contains(has, n) {
					return "/usr/bin/" + n, nil
				}
				return "", exec.ErrNotFound
			}, run: func(args ...string) error {
				line := strings.Join(args, " ")
				if ran = append(ran, line); line == c.fails {
					return errors.New(line + ": failed")
				}
				if strings.HasSuffix(line, installs) && c.brings != "" {
					has = append(has, c.brings)
				}
				return nil
			}}
			got, err := m.chromium()
			if got != c.want || (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) || !slices.Equal(ran, c.ran) {
				t.Errorf("%q %v after %q", got, err, ran)
			}
		})
	}
}

// TestChromium_DebiansPackage_WouldInstall asks the real apt-get what it would do, on a PATH without a Chromium.
func TestChromium_DebiansPackage_WouldInstall(t *testing.T) {
	asked(t)
	apt, err := exec.LookPath("apt-get")
	if err != nil {
		t.Skip("this is no Debian")
	}
	m := thisMachine()
	m.named, m.root = "", true
	var planned [][]string
	bare := m.look
	m.look = func(n string) (string, error) {
		if slices.Contains(browsers, n) {
			return "", exec.ErrNotFound
		}
		return bare(n)
	}
	m.run = func(args ...string) error {
		planned = append(planned, args)
		return nil
	}
	if _, err := m.chromium(); err == nil || len(planned) != len(install) {
		t.Fatalf("planned %q: %v", planned, err)
	}
	last := planned[len(planned)-1]
	simulate := append([]string{"install", "--simulate"}, last[2:]...)
	out, err := exec.CommandContext(t.Context(), apt, simulate...).CombinedOutput()
	if err != nil && strings.Contains(string(out), "Unable to locate package") {
		t.Skip("the lists of packages are not on this machine; apt-get update fetches them, which a test does not")
	}
	if err != nil {
		t.Errorf("apt-get %q: %v\n%s", simulate, err, out)
	}
}
