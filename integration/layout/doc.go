// Package layout checks that the repository keeps the shape it was designed with: which package may import which, who
// may open secrets or speak to AWS, how long files and functions get, that everything exported is explained.
//
// Rules erode one reasonable exception at a time, and a reviewer sees one change at a time; a test sees the whole tree.
// The flow is: rules.go says what holds in this repository, tree.go reads it once, and each check_*.go looks at what was
// read. The checks are tested on small trees in testdata, each with one planted fault.
package layout
