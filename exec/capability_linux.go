package exec

import (
	"encoding/binary"
	"fmt"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// capabilityProblem returns which capabilities file has that this process cannot get; nil
// if there is none. For them execve returns EPERM (capabilities(7), "Safety checking for
// capability-dumb binaries").
func capabilityProblem(file string) error {
	var lacks []string
	permitted := fileCapabilities(file)
	for capability, name := range capabilities {
		if permitted&(1<<capability) == 0 {
			continue
		}
		if has, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, uintptr(capability), 0, 0, 0); err == nil && has == 0 {
			lacks = append(lacks, name)
		}
	}
	if len(lacks) == 0 {
		return nil
	}
	names := strings.Join(lacks, ", ")
	return explained{fmt.Sprintf("operation not permitted: the file has capabilities (setcap) that the container lacks: "+
		"add %s to its securityContext.capabilities, or remove them from the file", names), syscall.EPERM}
}

// fileCapabilities returns the permitted capabilities of file, as bits. They are in the
// attribute security.capability, a struct vfs_cap_data of linux/capability.h: a word with
// the version, then two words for each 32 capabilities, the permitted ones first.
func fileCapabilities(file string) (permitted uint64) {
	var data [24]byte
	size, err := unix.Getxattr(file, "security.capability", data[:])
	if err != nil || size < 12 {
		return 0
	}
	permitted = uint64(binary.LittleEndian.Uint32(data[4:]))
	if size >= 20 {
		permitted |= uint64(binary.LittleEndian.Uint32(data[12:])) << 32
	}
	return permitted
}

// capabilities are the names of all capabilities, by their number (linux/capability.h),
// as a pod's securityContext has them.
var capabilities = strings.Fields(`
CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE
NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO
SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME
SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG
WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE`)
