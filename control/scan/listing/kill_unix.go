//go:build unix

package listing

import (
	"os/exec"
	"syscall"
)

// killGroup makes cmd the head of a process group, all of which is killed when
// its context ends: rsync has children, which would wait for their server on.
func killGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}
