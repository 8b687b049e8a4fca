package load

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of processor time in /proc, the same on all of Linux.
const tick = 10 * time.Millisecond

// Family gives a process and all that descend from it; nothing for 0.
func Family(pid int) []int {
	if pid == 0 {
		return nil
	}
	children := map[int][]int{}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		id, _ := strconv.Atoi(strings.Split(path, "/")[2])
		if f := statFields(id); f != nil {
			parent, _ := strconv.Atoi(f[1])
			children[parent] = append(children[parent], id)
		}
	}
	all := []int{pid}
	for i := 0; i < len(all); i++ {
		all = append(all, children[all[i]]...)
	}
	return all
}

// statFields are the fields of /proc/PID/stat after the name, state first.
func statFields(pid int) []string {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil
	}
	f := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
	if len(f) < 22 {
		return nil
	}
	return f
}

// usage is what the processes have used up and hold.
type usage struct {
	cpu      time.Duration
	resident int64 // octets
}

// used adds up the processes that descend from those given. A process that ended
// takes its share with it.
func used(pids []int) usage {
	var all []int
	for _, pid := range pids {
		all = append(all, Family(pid)...)
	}
	slices.Sort(all)
	var u usage
	for _, pid := range slices.Compact(all) {
		f := statFields(pid)
		if f == nil {
			continue
		}
		user, _ := strconv.ParseInt(f[11], 10, 64)
		system, _ := strconv.ParseInt(f[12], 10, 64)
		pages, _ := strconv.ParseInt(f[21], 10, 64)
		u.cpu += time.Duration(user+system) * tick
		u.resident += pages * int64(os.Getpagesize())
	}
	return u
}
