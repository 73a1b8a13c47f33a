//go:build !unix

package scan

const nonBlock = 0
