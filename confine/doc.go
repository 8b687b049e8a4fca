// Package confine takes rights away from the running process that it does not
// need: a filter of system calls (seccomp), access to files and to TCP (landlock),
// capabilities. What was given up does not come back.
//
// The rooms that use it decide what they give up, and what they say when the kernel
// cannot: signing/cage for a page renderer, vault for itself.
package confine
