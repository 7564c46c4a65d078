package admin

import (
	"context"
	"net/http"
	"slices"

	"behalf.dev/behalf/shared/apigw"
	"behalf.dev/behalf/shared/authn"
	"behalf.dev/behalf/shared/catalog"
)

type connectorView struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	Description string `json:"description"`
	DocsURL     string `json:"docs_url,omitempty"`
	// Mode is what a connection is made of, Fields what somebody gives for it.
	Mode   catalog.AuthMode `json:"mode"`
	Fields []fieldView      `json:"fields"`
	Scopes scopesView       `json:"scopes"`
	Tools  []toolView       `json:"tools"`
}

type fieldView struct {
	Name     string            `json:"name"`
	Label    string            `json:"label"`
	Help     string            `json:"help,omitempty"`
	Example  string            `json:"example,omitempty"`
	Kind     catalog.FieldKind `json:"kind"`
	Secret   bool              `json:"secret"`
	Required bool              `json:"required"`
}

type scopesView struct {
	Default  []string          `json:"default"`
	Required []string          `json:"required,omitempty"`
	Known    map[string]string `json:"known"`
}

type toolView struct {
	Name   string         `json:"name"`
	Title  string         `json:"title,omitempty"`
	Effect catalog.Effect `json:"effect"`
}

func viewConnector(c *catalog.Connector) (connectorView, error) {
	tools, err := c.Tools()
	if err != nil {
		return connectorView{}, err
	}
	v := connectorView{ID: c.ID, Name: c.Name, Description: c.Description, DocsURL: c.DocsURL, Mode: c.Mode, Fields: []fieldView{}, Tools: []toolView{},
		Scopes: scopesView{Default: slices.Concat([]string{}, c.Scopes.Default), Required: c.Scopes.Required, Known: map[string]string{}}}
	for _, f := range c.Fields {
		v.Fields = append(v.Fields, fieldView{f.Name, f.Label, f.Help, f.Example, f.Kind, f.Secret, f.Required})
	}
	for name, s := range c.Scopes.Known {
		v.Scopes.Known[name] = s.Description
	}
	for _, t := range tools {
		v.Tools = append(v.Tools, toolView{t.Name, t.Title, t.Effect})
	}
	return v, nil
}

func (f *Function) listConnectors(_ context.Context, r *apigw.Request, _ authn.Caller) (*apigw.Response, error) {
	if err := r.Only(); err != nil {
		return nil, err
	}
	out := []connectorView{}
	for _, c := range f.catalog.Connectors() {
		v, err := viewConnector(c)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return apigw.JSON(http.StatusOK, list("connectors", out, ""))
}

func (f *Function) getConnector(_ context.Context, r *apigw.Request, _ authn.Caller) (*apigw.Response, error) {
	if err := r.Only(); err != nil {
		return nil, err
	}
	id, err := r.Path("connector")
	if err != nil {
		return nil, err
	}
	c, err := f.catalog.Connector(id)
	if err != nil {
		return nil, err
	}
	v, err := viewConnector(c)
	if err != nil {
		return nil, err
	}
	return apigw.JSON(http.StatusOK, v)
}
