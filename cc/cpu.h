// What the machine at hand can do beyond what the build was told to expect.
#ifndef TFAGENTS_CORE_CC_CPU_H_
#define TFAGENTS_CORE_CC_CPU_H_

// For functions whose only effect is to prefetch: GCC takes them for ones without an
// effect and leaves out calls of them, unless they are expanded first.
#if defined(__GNUC__)
#define TFA_PREFETCHES __attribute__((always_inline)) inline
#else
#define TFA_PREFETCHES inline
#endif

// Functions marked TFA_AVX512 exist where TFA_HAVE_AVX512 is defined, and may be
// called when HasAvx512(). Each has a plain twin that gives the same bits.
#if defined(__x86_64__) && defined(__GNUC__)
#define TFA_HAVE_AVX512 1
#define TFA_AVX512 \
  __attribute__((target("avx512f,avx512dq,avx512vl,prefer-vector-width=512")))

namespace tfa {

inline bool HasAvx512() {
  static const bool has = __builtin_cpu_supports("avx512f") &&
                          __builtin_cpu_supports("avx512dq") &&
                          __builtin_cpu_supports("avx512vl");
  return has;
}

}  // namespace tfa
#endif

#endif  // TFAGENTS_CORE_CC_CPU_H_
