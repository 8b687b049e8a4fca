package hsm

/*
#cgo linux LDFLAGS: -ldl
#include <dlfcn.h>
#include <stdlib.h>

// CK_MECHANISM and the head of CK_FUNCTION_LIST (PKCS#11 v2.40 §3.5, §3.6), as
// far as C_Sign: all that is called from here.
typedef struct { unsigned long id; void *param; unsigned long len; } sigillo_mechanism;
typedef unsigned long (*sigillo_sign_init)(unsigned long, sigillo_mechanism *, unsigned long);
typedef unsigned long (*sigillo_sign)(unsigned long, const void *, unsigned long, void *, unsigned long *);
typedef struct {
	struct { unsigned char major, minor; } version;
	void *before[42];
	sigillo_sign_init sign_init;
	sigillo_sign sign;
} sigillo_functions;

// sigillo_load gives the function list of a library that the process has loaded
// already, and keeps it loaded.
static unsigned long sigillo_load(const char *path, void **lib, sigillo_functions **list) {
	unsigned long (*get)(sigillo_functions **);
	*lib = dlopen(path, RTLD_LAZY);
	if (*lib == NULL) return 5; // CKR_GENERAL_ERROR
	get = dlsym(*lib, "C_GetFunctionList");
	return get == NULL ? 5 : get(list);
}

static void sigillo_unload(void *lib) { dlclose(lib); }

// sigillo_run is C_SignInit and one C_Sign into a buffer that is long enough,
// for one crossing from Go to C.
static unsigned long sigillo_run(sigillo_functions *f, unsigned long session, unsigned long mech,
		unsigned char *param, unsigned long param_len, unsigned long key,
		unsigned char *data, unsigned long len, unsigned char *out, unsigned long *size) {
	sigillo_mechanism m = { mech, param, param_len };
	unsigned long rv = f->sign_init(session, &m, key);
	return rv != 0 ? rv : f->sign(session, data, len, out, size);
}

#cgo noescape sigillo_run
#cgo nocallback sigillo_run
*/
import "C"

import (
	"unsafe"

	"github.com/miekg/pkcs11"
)

// initialise is C_Initialize. The arguments, if there are any, go where PKCS#11
// v2.40 §5.4 reserves a place that NSS and a few others read a text from.
func initialise(ctx *pkcs11.Ctx, arguments string) error {
	if arguments == "" {
		return ctx.Initialize()
	}
	text := C.CString(arguments)
	defer C.free(unsafe.Pointer(text)) // modules copy what they keep
	return ctx.Initialize(pkcs11.InitializeWithReserved(unsafe.Pointer(text)))
}

// functions are the calls of a module that are made for each signature. The
// binding needs four crossings from Go to C for one signature, asks the token
// twice (first for the length, which we know) and copies through the C heap;
// this does the same in one crossing and into the caller's buffer.
type functions struct {
	lib  unsafe.Pointer
	list *C.sigillo_functions
}

func loadFunctions(path string) (functions, error) {
	name := C.CString(path)
	defer C.free(unsafe.Pointer(name))
	var f functions
	if rv := C.sigillo_load(name, &f.lib, &f.list); rv != 0 {
		f.unload()
		return functions{}, pkcs11.Error(rv)
	}
	return f, nil
}

func (f functions) unload() {
	if f.lib != nil {
		C.sigillo_unload(f.lib)
	}
}

// nothing has an address, which modules want also of data without a byte.
var nothing [1]byte

// sign signs data into out, which is as long as the longest result, and returns
// the result's length.
func (f functions) sign(s sessionID, m mechanism, key handle, data, out []byte) (int, error) {
	size, from := C.ulong(len(out)), unsafe.SliceData(data)
	if len(data) == 0 {
		from = &nothing[0]
	}
	rv := C.sigillo_run(f.list, C.ulong(s), C.ulong(m.Mechanism), octets(unsafe.SliceData(m.Parameter)), C.ulong(len(m.Parameter)), C.ulong(key),
		octets(from), C.ulong(len(data)), octets(unsafe.SliceData(out)), &size)
	if rv != 0 {
		return 0, pkcs11.Error(rv)
	}
	return int(min(size, C.ulong(len(out)))), nil
}

// octets is p as C has it. It stays typed: of an untyped pointer cgo would look
// whether the memory around it, which may be a caller's struct, has pointers.
func octets(p *byte) *C.uchar { return (*C.uchar)(p) }
