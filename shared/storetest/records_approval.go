package storetest

import (
	"context"
	"testing"
	"time"

	"behalf.dev/behalf/shared/approval"
	"behalf.dev/behalf/shared/fault"
)

func approvalLinks(t *testing.T, s Store) {
	ctx := context.Background()
	l := approval.Link{Scope: scope(acme, "alice"), Hash: "ab12", Approval: "apr_1", Asked: epoch(), Approver: "carol", By: "key_1", Created: epoch(), Expires: epoch().Add(time.Minute)}
	_, err := s.ApprovalLink(ctx, acme, l.Hash)
	want(t, err, fault.NotFound)
	put, err := s.PutApprovalLink(ctx, l)
	must(t, err)
	got, err := s.ApprovalLink(ctx, acme, l.Hash)
	must(t, err)
	same(t, "the link", got, put)
	_, err = s.PutApprovalLink(ctx, l)
	want(t, err, fault.Conflict)
	put.Cookie = "cd34"
	opened, err := s.PutApprovalLink(ctx, put)
	must(t, err)
	_, err = s.PutApprovalLink(ctx, put) // of two browsers, one opens it
	want(t, err, fault.Conflict)
	got, err = s.ApprovalLink(ctx, acme, l.Hash)
	must(t, err)
	same(t, "the opened link", got, opened)
	_, err = s.ApprovalLink(ctx, other, l.Hash)
	want(t, err, fault.NotFound)
}
