// Package e2e drives bin/waypost as its users do, with the programs that they
// have: dnf, zypper, apt, aria2, curl, dig, kdig, unbound. Its tests have the
// build tag e2e; run them with
//
//	make e2e
//
// The files in testdata are transcripts of the command line; they can be read
// as its documentation. Everything happens on loopback and in temporary
// folders, and each process is ended by the test that started it. A client
// that is not installed skips its test, but fails it where CI=true.
package e2e
