package endpoint

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	ebtypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
)

// Rule brings every event of a source from a bus to a queue, all three by name.
type Rule struct{ Name, Bus, Source, Queue string }

// rule creates a rule, or replaces it.
func (b *builder) rule(ctx context.Context, r Rule) error {
	q, ok := b.queues[r.Queue]
	if !ok {
		return fmt.Errorf("create rule %s: the templates have no queue %s", r.Name, r.Queue)
	}
	pattern, err := json.Marshal(map[string][]string{"source": {r.Source}})
	if err != nil {
		return err
	}
	c := eventbridge.NewFromConfig(b.to)
	if _, err := c.PutRule(ctx, &eventbridge.PutRuleInput{Name: &r.Name, EventBusName: &r.Bus, EventPattern: aws.String(string(pattern))}); err != nil {
		return fmt.Errorf("create rule %s: %w", r.Name, err)
	}
	out, err := c.PutTargets(ctx, &eventbridge.PutTargetsInput{Rule: &r.Name, EventBusName: &r.Bus, Targets: []ebtypes.Target{{Id: aws.String("queue"), Arn: &q.arn}}})
	if err != nil {
		return fmt.Errorf("aim rule %s: %w", r.Name, err)
	}
	if out.FailedEntryCount > 0 {
		return fmt.Errorf("aim rule %s: %s", r.Name, aws.ToString(out.FailedEntries[0].ErrorMessage))
	}
	return nil
}
