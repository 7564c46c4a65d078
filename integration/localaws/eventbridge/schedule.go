package eventbridge

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"behalf.dev/behalf/integration/localaws/awserr"
)

// Schedule is one schedule of EventBridge Scheduler.
type Schedule struct {
	Name, Group, ARN string
	Expression       string
	Disabled         bool
	Once             bool // delete after it fired (ActionAfterCompletion DELETE)
	Target           Target
	body             json.RawMessage // as created by the API
	created          time.Time
	next             time.Time // zero: never
}

// PutSchedule adds or replaces a schedule and returns its ARN. rate(...) and at(...) fire;
// cron(...) is kept but never fires.
func (s *Service) PutSchedule(sc Schedule) (string, error) {
	if sc.Group == "" {
		sc.Group = "default"
	}
	sc.ARN = s.arn("scheduler", "schedule/"+sc.Group+"/"+sc.Name)
	sc.created = s.opt.Now()
	var err error
	if sc.next, err = firstRun(sc.Expression, sc.created); err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.schedules[sc.Group+"/"+sc.Name] = &sc
	return sc.ARN, nil
}

func firstRun(expr string, now time.Time) (time.Time, error) {
	switch {
	case strings.HasPrefix(expr, "cron("):
		return time.Time{}, nil
	case strings.HasPrefix(expr, "at("):
		t, err := time.Parse("at(2006-01-02T15:04:05)", expr)
		if err != nil {
			return t, awserr.Validation("Invalid Schedule Expression %s.", expr)
		}
		return t, nil
	}
	d, err := rate(expr)
	return now.Add(d), err
}

// rate parses "rate(5 minutes)".
func rate(expr string) (time.Duration, error) {
	var n int
	var unit string
	if _, err := fmt.Sscanf(strings.NewReplacer("(", " ", ")", "").Replace(expr), "rate %d %s", &n, &unit); err != nil || n < 1 {
		return 0, awserr.Validation("Invalid Schedule Expression %s.", expr)
	}
	switch strings.TrimSuffix(unit, "s") {
	case "minute":
		return time.Duration(n) * time.Minute, nil
	case "hour":
		return time.Duration(n) * time.Hour, nil
	case "day":
		return time.Duration(n) * 24 * time.Hour, nil
	}
	return 0, awserr.Validation("Invalid Schedule Expression %s.", expr)
}

// FireDue delivers every schedule whose time has come, once however long the clock jumped,
// and returns how many fired.
func (s *Service) FireDue() int {
	now := s.opt.Now()
	s.mu.Lock()
	var due []Schedule
	for key, sc := range s.schedules {
		if sc.Disabled || sc.next.IsZero() || now.Before(sc.next) {
			continue
		}
		due = append(due, *sc)
		d, err := rate(sc.Expression)
		switch {
		case err == nil:
			for !now.Before(sc.next) {
				sc.next = sc.next.Add(d)
			}
		case sc.Once:
			delete(s.schedules, key)
		default:
			sc.next = time.Time{}
		}
	}
	s.mu.Unlock()
	for _, sc := range due {
		s.opt.Deliver(sc.Target, sc.payload(now, s.opt))
	}
	return len(due)
}

func (sc Schedule) payload(now time.Time, o Options) []byte {
	at := sc.next.UTC().Format(time.RFC3339)
	if sc.Target.Input != "" {
		return []byte(strings.NewReplacer("<aws.scheduler.scheduled-time>", at, "<aws.scheduler.schedule-arn>", sc.ARN,
			"<aws.scheduler.execution-id>", newID(), "<aws.scheduler.attempt-number>", "1").Replace(sc.Target.Input))
	}
	b, _ := json.Marshal(map[string]any{"version": "0", "id": newID(), "detail-type": "Scheduled Event", "source": "aws.scheduler",
		"account": o.Account, "time": now.UTC().Format(time.RFC3339), "region": o.Region, "resources": []string{sc.ARN}, "detail": "{}"}) // text always marshals
	return b
}

// ScheduleARN names the schedule of an API path for the permission check.
func (s *Service) ScheduleARN(group, name string) string {
	if group == "" {
		group = "default"
	}
	return s.arn("scheduler", "schedule/"+group+"/"+name)
}

// RunSchedule executes CreateSchedule, GetSchedule or DeleteSchedule.
func (s *Service) RunSchedule(op, group, name string, body []byte) (any, error) {
	if group == "" {
		group = "default"
	}
	s.mu.RLock()
	sc := s.schedules[group+"/"+name]
	s.mu.RUnlock()
	if sc == nil && op != "CreateSchedule" {
		return nil, &awserr.Error{Code: "ResourceNotFoundException", Message: "Schedule " + name + " does not exist.", Status: 404}
	}
	switch op {
	case "CreateSchedule":
		if sc != nil {
			return nil, &awserr.Error{Code: "ConflictException", Message: "Schedule " + name + " already exists.", Status: 409}
		}
		return s.createSchedule(name, body)
	case "GetSchedule":
		out := map[string]any{}
		if err := json.Unmarshal(sc.body, &out); err != nil {
			out = map[string]any{"ScheduleExpression": sc.Expression, "Target": sc.Target}
		}
		out["Arn"], out["Name"], out["GroupName"], out["CreationDate"] = sc.ARN, name, group, float64(sc.created.Unix())
		return out, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.schedules, group+"/"+name)
	return map[string]any{}, nil
}

func (s *Service) createSchedule(name string, body []byte) (any, error) {
	var q struct {
		GroupName, ScheduleExpression, State, ActionAfterCompletion string
		Target                                                      Target
	}
	if err := json.Unmarshal(body, &q); err != nil {
		return nil, awserr.Validation("%v", err)
	}
	arn, err := s.PutSchedule(Schedule{Name: name, Group: q.GroupName, Expression: q.ScheduleExpression, Target: q.Target,
		Disabled: q.State == "DISABLED", Once: q.ActionAfterCompletion == "DELETE", body: append([]byte(nil), body...)})
	return map[string]any{"ScheduleArn": arn}, err
}
