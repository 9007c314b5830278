/* Loops over many elements, compiled for wider registers, too. */
#ifndef CNX_BASE_WIDE_H
#define CNX_BASE_WIDE_H

/* Before a static function whose loops compilers turn into vector instructions: besides for the oldest
 * processor that the program runs on it is compiled for newer ones, and which one is called is decided when
 * the program starts. All compute the same, since they compute with integers. Not with sanitizers, which are
 * not yet awake when that is decided. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define CNX_NOT_WIDE
#endif
#endif
#if defined(__x86_64__) && defined(__linux__) && !defined(__SANITIZE_ADDRESS__) && !defined(CNX_NOT_WIDE)
#define CNX_WIDE __attribute__((target_clones("default", "avx2", "arch=x86-64-v4")))
#else
#define CNX_WIDE
#endif

#endif
