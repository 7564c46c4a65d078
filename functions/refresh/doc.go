// Package refresh keeps tokens fresh: by schedule, from its queue, and on demand.
//
// Each minute EventBridge Scheduler starts a sweep, which reads what is due from every shard of the due index (keys
// only; it cannot open anything) and puts it on the queue, up to 25 connections of one tenant per message. The same
// function takes messages off the queue and refreshes, with credentials vended for that tenant. The execute function
// invokes it directly for a dead token, and gets a status back, never a token. What a refresher could not store comes back
// through the same queue, sealed, and so do second looks that cannot wait for the sweep.
package refresh
