// Package awss3 keeps objects that must never change: what is stored is only ever stored once.
//
// It is used by the sealer of the audit trail, for a bucket under Object Lock. S3 itself refuses the second write (If-None-Match,
// S3 User Guide, "Conditional writes"), so two writers at once cannot overwrite each other; a write that was repeated because
// its answer was lost is told from a conflict by comparing the content.
package awss3
