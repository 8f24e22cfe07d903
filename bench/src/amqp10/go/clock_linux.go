package main

import (
	"syscall"
	"unsafe"
)

const clockMonotonic = 1

// Nanoseconds of the machine's monotonic clock, the same in every process. Go's own counts from the start of the process.
func nowNs() int64 {
	var now syscall.Timespec
	_, _, failure := syscall.Syscall(syscall.SYS_CLOCK_GETTIME, clockMonotonic, uintptr(unsafe.Pointer(&now)), 0)
	if failure != 0 {
		panic(failure)
	}
	return now.Nano()
}
