// Package apigw stands between API Gateway's events and the functions' handlers.
//
// routes.go is the one list of routes. A Mux picks the handler by the event's method and resource, gives it a Request
// that reads path, query and body strictly (what is not known is an error that names it), and turns whatever error comes
// back into a problem document with a request id. Events are never logged: the authorizer's context carries credentials.
package apigw
