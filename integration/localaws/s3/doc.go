// Package s3 is buckets with versions and Object Lock, as far as the audit bucket needs them: PutObject with If-None-Match and a
// checksum, GetObject, ListObjectsV2, DeleteObject with and without a version, CreateBucket.
//
// A bucket under Object Lock takes no upload without a checksum, and gives up a locked version to nobody before its time, or, in
// governance mode, to whoever may and does ask to bypass it (S3 User Guide, "Locking objects with Object Lock"). What S3 can do
// beyond that answers 501.
package s3
