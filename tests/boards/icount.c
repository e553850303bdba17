/* A plugin for QEMU 7.2 that counts the instructions that a guest runs: qemu-arm -plugin libicount.so,out=FILE ...
 *
 * A guest marks a place with close(0x6d610000 + label), which fails and changes nothing; FILE then gets a line with the
 * label and the count so far. QEMU's header is in no Debian package, so what is used of it is declared here.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define VISIBLE __attribute__((visibility("default")))

typedef uint64_t plugin_id;
struct qemu_plugin_tb;
typedef struct {
    const char *target_name;
    struct {
        int min, cur;
    } version;
    bool system_emulation;
    struct {
        int smp_vcpus, max_vcpus;
    } system;
} qemu_info_t;
typedef void (*on_translation)(plugin_id, struct qemu_plugin_tb *);
typedef void (*on_syscall)(plugin_id, unsigned, int64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t,
                           uint64_t, uint64_t);
enum { ADD_U64 = 0 };

void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id, on_translation);
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *, int operation, void *to, uint64_t value);
void qemu_plugin_register_vcpu_syscall_cb(plugin_id, on_syscall);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);

VISIBLE int qemu_plugin_version = 1;

enum { MARK = 0x6d61, CLOSE_ON_ARM = 6, CLOSE_ON_AARCH64 = 57 };
static uint64_t count;
static int64_t close_number;
static FILE *out;

static void translated(plugin_id id, struct qemu_plugin_tb *block) {
    (void)id;
    qemu_plugin_register_vcpu_tb_exec_inline(block, ADD_U64, &count, qemu_plugin_tb_n_insns(block));
}

static void called(plugin_id id, unsigned cpu, int64_t number, uint64_t first, uint64_t b, uint64_t c, uint64_t d,
                   uint64_t e, uint64_t f, uint64_t g, uint64_t h) {
    (void)id, (void)cpu, (void)b, (void)c, (void)d, (void)e, (void)f, (void)g, (void)h;
    if (number == close_number && (first >> 16 & 0xffff) == MARK) {
        fprintf(out, "%u %llu\n", (unsigned)(first & 0xffff), (unsigned long long)count);
        fflush(out);
    }
}

VISIBLE int qemu_plugin_install(plugin_id id, const qemu_info_t *info, int count_of_options, char **options) {
    const char *path = count_of_options == 1 && strncmp(options[0], "out=", 4) == 0 ? options[0] + 4 : NULL;
    out = path == NULL ? NULL : fopen(path, "w");
    if (out == NULL) {
        fprintf(stderr, "icount: give it a file that can be written: -plugin libicount.so,out=FILE\n");
        return 1;
    }
    close_number = strcmp(info->target_name, "arm") == 0 ? CLOSE_ON_ARM : CLOSE_ON_AARCH64;
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_vcpu_syscall_cb(id, called);
    return 0;
}
