/* A PKCS#11 module in front of another one, for tests of a token that is slow, or
 * hangs, or fails. It does one thing at a time, as a small HSM does, and takes for
 * each as many microseconds as the file named by SIGILLO_SLOW says. With "hold" after
 * the number, C_DeriveKey does not come back until the file says something else;
 * with "gone", every call answers CKR_DEVICE_REMOVED. The module behind it is named
 * by SIGILLO_SLOW_MODULE. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef unsigned long rv;
typedef rv (*call)(long, long, long, long, long, long, long, long);

/* CK_FUNCTION_LIST: a version, then 68 functions (PKCS#11 v2.40). */
enum { OPEN = 12, FIND = 27, ENCRYPT = 30, DECRYPT = 34, SIGN_INIT = 42, SIGN = 43, GENERATE = 58, PAIR = 59, WRAP = 60, UNWRAP = 61, DERIVE = 62, FUNCTIONS = 68 };
struct list { unsigned char version[2]; call f[FUNCTIONS]; };

static struct list mine, *real;
static pthread_mutex_t one = PTHREAD_MUTEX_INITIALIZER;

static void rest(long us) {
	struct timespec t = { us / 1000000, us % 1000000 * 1000 };
	nanosleep(&t, NULL);
}

/* says reads the file. */
static long says(char *word) {
	long us = 0;
	const char *path = getenv("SIGILLO_SLOW");
	FILE *f = path ? fopen(path, "re") : NULL;
	word[0] = 0;
	if (f) {
		if (fscanf(f, "%ld %15s", &us, word) < 1) us = 0;
		fclose(f);
	}
	return us;
}

static rv slowly(int n, long a, long b, long c, long d, long e, long f, long g, long h) {
	char word[16];
	long us = says(word);
	rv r;
	if (strcmp(word, "gone") == 0) return 0x32;
	if (n == DERIVE)
		while (strcmp(word, "hold") == 0) rest(2000), says(word);
	if (us) {
		pthread_mutex_lock(&one);
		rest(us);
		r = real->f[n](a, b, c, d, e, f, g, h);
		pthread_mutex_unlock(&one);
		return r;
	}
	return real->f[n](a, b, c, d, e, f, g, h);
}

#define SLOW(name, n) static rv name(long a, long b, long c, long d, long e, long f, long g, long h) { return slowly(n, a, b, c, d, e, f, g, h); }
SLOW(open_session, OPEN)
SLOW(find, FIND)
SLOW(encrypt, ENCRYPT)
SLOW(decrypt, DECRYPT)
SLOW(sign, SIGN)
SLOW(generate, GENERATE)
SLOW(pair, PAIR)
SLOW(wrap, WRAP)
SLOW(unwrap, UNWRAP)
SLOW(derive, DERIVE)

static rv my_list(struct list **out) { *out = &mine; return 0; }

rv C_GetFunctionList(struct list **out) {
	const char *path = getenv("SIGILLO_SLOW_MODULE");
	void *lib = path ? dlopen(path, RTLD_NOW) : NULL;
	rv (*get)(struct list **) = lib ? (rv (*)(struct list **))dlsym(lib, "C_GetFunctionList") : NULL;
	if (!get || get(&real)) return 5;
	mine = *real;
	mine.f[3] = (call)my_list;
	mine.f[OPEN] = open_session; mine.f[FIND] = find; mine.f[ENCRYPT] = encrypt; mine.f[DECRYPT] = decrypt;
	mine.f[SIGN] = sign; mine.f[GENERATE] = generate; mine.f[PAIR] = pair; mine.f[WRAP] = wrap;
	mine.f[UNWRAP] = unwrap; mine.f[DERIVE] = derive;
	return my_list(out);
}
