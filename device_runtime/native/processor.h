/* What an x86 processor and its system run, asked once, when the library is loaded.
 *
 * __builtin_cpu_supports would say the same, but what it reads is in libgcc, and wheels are built by Zig without it.
 */
#ifndef TR_PROCESSOR_H
#define TR_PROCESSOR_H

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#include <stdbool.h>
#include <stdint.h>

static struct {
    bool has_avx2;   /* with FMA */
    bool has_avx512; /* with BW, DQ, VL and VNNI */
    bool has_vbmi;
} processor;

__attribute__((constructor)) static void ask_processor(void) {
    enum { OSXSAVE = 1 << 27, AVX = 1 << 28, FMA = 1 << 12, AVX2 = 1 << 5, VNNI = 1 << 11, VBMI = 1 << 1 };
    const uint32_t f_dq_bw_vl = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31;
    const uint32_t ymm_saved = 0x06, zmm_saved = 0xe6; /* by the system, when it switches between processes */
    uint32_t a, b, c, d, saved, high;
    if (!__get_cpuid(1, &a, &b, &c, &d) || (c & OSXSAVE) == 0 || (c & AVX) == 0) {
        return;
    }
    const bool has_fma = (c & FMA) != 0;
    __asm__ volatile("xgetbv" : "=a"(saved), "=d"(high) : "c"(0));
    if ((saved & ymm_saved) != ymm_saved || !__get_cpuid_count(7, 0, &a, &b, &c, &d)) {
        return;
    }
    processor.has_avx2 = has_fma && (b & AVX2) != 0;
    processor.has_avx512 =
        processor.has_avx2 && (saved & zmm_saved) == zmm_saved && (b & f_dq_bw_vl) == f_dq_bw_vl && (c & VNNI) != 0;
    processor.has_vbmi = processor.has_avx512 && (c & VBMI) != 0;
}
#endif

#endif
