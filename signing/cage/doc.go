// Package cage runs one outside program in a cage that needs no namespaces.
//
// The page renderers of formats/view normally run in bubblewrap, which needs
// user namespaces; inside a plain chroot and in many containers there are none.
// There the program starts itself again with the hidden command Command, whose
// body is Main: it gives up what the renderer does not need, then becomes the
// renderer.
//
//   - Files: landlock lets it read and execute the machine's programs,
//     libraries and fonts and this one (which draws texts and images), read the one document, and write in the one work
//     folder. Without landlock there is no cage and Main refuses.
//   - Network: a seccomp filter refuses every socket but Unix stream sockets,
//     and every connection; landlock refuses TCP again where the kernel knows.
//   - Privileges: no capabilities, none to be gained.
//   - Other processes: landlock forbids tracing them, and signals to them
//     since its ABI 6 (Linux 6.12). The filter keeps the renderer's own
//     children in its session's process group, so that they die with it.
//   - Memory, processor time, size of files, descriptors and the number of
//     processes have limits; the environment is empty but for what a renderer
//     needs.
//
// What bubblewrap hides and this cage does not: that files exist, their sizes
// and times (landlock guards content and names in folders, not metadata); how
// many processors and users there are, as far as system calls tell; and before
// Linux 6.12 the renderer may send signals to processes of the same user. It
// may also change the scheduling and limits of those processes. So it can
// disturb the service, but can read nothing of it, change nothing, and tell
// nobody. A grandchild may outlive a service that is killed outright, until its
// processor time is used up.
package cage
