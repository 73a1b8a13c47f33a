// Package e2e drives the control plane and its edges as a distribution would:
// with bin/waypost, createrepo_c, rsync, nginx, dnf, curl and PostgreSQL. Its
// tests have the build tag e2e; run them with
//
//	make e2e
//
// Everything happens on loopback and in temporary folders, and each process is
// ended by the test that started it. A program that is not installed skips its
// test, but fails it where CI=true.
package e2e
