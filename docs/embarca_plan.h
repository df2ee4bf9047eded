/* Embarca files (plans, portable graphs) as they lie in memory: structures and a small reader.
 *
 * docs/plan-format.md says what the fields mean and what must hold of them. These functions check
 * what keeps a reader inside the file; embarca-plan's `Plan::open` checks everything. The file must
 * start at a multiple of 16 bytes, the machine must be little-endian. C99 or C++11.
 */
#ifndef EMBARCA_PLAN_H
#define EMBARCA_PLAN_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

#define EMB_MAGIC "EMBARCA\x1a"
#define EMB_FORMAT_VERSION 1u
#define EMB_SEMANTICS 1u
#define EMB_HEADER_LEN 32u
#define EMB_UNIT 16u                 /* offsets in weights, arena and states count in these */
#define EMB_NONE 0xFFFFFFFFu         /* an index that is absent */
#define EMB_EXPR_BIT 0x80000000u     /* a dimension that is an expression's value */
#define EMB_INPUT_BIT 0x80000000u    /* a writer that is the caller */

enum emb_file_kind { EMB_FILE_GRAPH = 1, EMB_FILE_PLAN = 2 };

enum emb_section_kind {
    EMB_INTERFACE = 1,
    EMB_TASK = 2,
    EMB_PROGRAM = 3,
    EMB_WEIGHTS = 4,
    EMB_MEMORY = 5,
    EMB_PROVENANCE = 6,
    EMB_VECTORS = 7,
    EMB_SEAL = 8,
    EMB_FRONT = 9,
    EMB_BACK = 10,
    EMB_GRAPH = 16
};

enum emb_storage {
    EMB_IN_WEIGHTS = 0,
    EMB_IN_STATE = 1,
    EMB_IN_INPUT = 2,
    EMB_IN_OUTPUT = 3,
    EMB_IN_ARENA = 4,
    EMB_IN_DYNAMIC = 5,
    EMB_IN_ALIAS = 6
};

enum emb_opcode {
    EMB_OP_IF = 0xFF00,
    EMB_OP_WHILE = 0xFF01,
    EMB_OP_LOOP = 0xFF02,
    EMB_OP_SCAN = 0xFF03,
    EMB_OP_JOIN = 0xFF10,
    EMB_OP_CUSTOM = 0xFFFF
};

enum emb_program_flag { EMB_DYNAMIC = 1, EMB_DATA_DEPENDENT = 2, EMB_NEEDS_HOST = 4 };

typedef struct {
    uint8_t magic[8];
    uint16_t kind;
    uint16_t version;
    uint32_t semantics;
    uint64_t file_len;
    uint32_t sections;
    uint32_t crc;
} emb_header;

typedef struct {
    uint32_t kind;
    uint16_t flags;
    uint16_t align_log2;
    uint64_t offset;
    uint64_t len;
    uint32_t reserved;
    uint32_t crc;
} emb_section;

typedef struct {
    uint32_t offset;
    uint32_t count;
} emb_table;

typedef struct {
    emb_table string_ends;
    emb_table strings;
    emb_table symbols;
    emb_table exprs;
    emb_table dims;
    emb_table quants;
    emb_table scales;
    emb_table zeros;
} emb_common;

typedef struct {
    uint32_t name;
    uint32_t flags;
    uint32_t min;
    uint32_t preferred;
    uint32_t max;
} emb_symbol;

typedef struct {
    uint32_t op;
    uint32_t a;
    uint32_t b;
} emb_expr;

typedef struct {
    uint32_t axis;
    uint32_t block;
    uint32_t start;
    uint32_t count;
} emb_quant;

typedef struct {
    uint32_t flags;
    uint16_t family;
    uint16_t align_log2;
    uint32_t kernel_set;
    uint32_t target;
    uint32_t state;
    uint32_t reserved;
    emb_common common;
    emb_table kernels;
    emb_table functions;
    emb_table states;
    emb_table tensors;
    emb_table steps;
    emb_table lists;
    emb_table records;
} emb_program;

typedef struct {
    uint32_t opcode;
    uint32_t name;
} emb_kernel;

typedef struct {
    uint32_t name;
    uint32_t tensors;
    uint32_t tensor_count;
    uint32_t steps;
    uint32_t step_count;
    uint32_t list;
    uint32_t inputs;
    uint32_t outputs;
    uint32_t arena;
    uint32_t stack;
    uint32_t scratch;
} emb_function;

typedef struct {
    uint32_t name;
    uint8_t dtype;
    uint8_t rank;
    uint16_t reset_group;
    uint32_t dims;
    uint32_t offset;
    uint32_t initial;
} emb_state;

typedef struct {
    uint8_t dtype;
    uint8_t rank;
    uint8_t storage;
    uint8_t reserved;
    uint16_t layout;
    uint16_t packing;
    uint16_t packing_version;
    uint16_t reserved2;
    uint32_t dims;
    uint32_t place;
    uint32_t extent;
    uint32_t quant;
    uint32_t name;
    uint32_t writer;
    uint32_t first;
    uint32_t last;
} emb_tensor;

typedef struct {
    uint16_t opcode;
    uint16_t algorithm;
    uint16_t flags;
    uint16_t inputs;
    uint16_t outputs;
    uint16_t reserved;
    uint32_t list;
    uint32_t record;
    uint32_t record_len;
    uint32_t name;
} emb_step;

typedef struct {
    uint32_t inputs;
    uint32_t reserved;
    emb_common common;
    emb_table ports;
    emb_table axes;
    emb_table profiles;
    emb_table values;
} emb_interface;

typedef struct {
    uint32_t name;
    uint32_t role;
    uint8_t dtype;
    uint8_t rank;
    uint16_t reserved;
    uint32_t dims;
    uint32_t axes;
    uint32_t quant;
} emb_port;

typedef struct {
    uint32_t name;
    uint32_t start;
} emb_profile;

typedef struct {
    emb_table string_ends;
    emb_table strings;
    emb_table properties;
    emb_table texts;
    emb_table integers;
    emb_table floats;
} emb_properties;

typedef struct {
    uint32_t key;
    uint32_t kind;
    uint32_t start;
    uint32_t count;
} emb_property;

typedef struct {
    emb_table string_ends;
    emb_table strings;
    emb_table vectors;
    emb_table data;
} emb_vectors;

typedef struct {
    uint32_t name;
    uint32_t program;
    uint32_t runs;
    uint32_t generator;
    uint32_t seed[2];
    uint32_t input;
    uint32_t input_len;
    uint32_t check;
    uint32_t crc;
    uint32_t expected;
    uint32_t expected_len;
    float absolute;
    float relative;
} emb_vector;

typedef struct {
    uint64_t arena;
    uint64_t state;
    uint64_t scratch;
    uint64_t weights;
    uint64_t lower_bound;
    uint64_t align;
} emb_memory;

/* CRC-32 of `len` bytes after a text whose checksum is `crc` (0 to begin). */
static inline uint32_t emb_crc32(uint32_t crc, const void *data, size_t len) {
    static const uint32_t nibbles[16] = {
        0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
        0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
        0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c};
    const uint8_t *byte = (const uint8_t *)data;
    crc = ~crc;
    while (len--) {
        crc ^= *byte++;
        crc = crc >> 4 ^ nibbles[crc & 15];
        crc = crc >> 4 ^ nibbles[crc & 15];
    }
    return ~crc;
}

/* The header, when `len` bytes at `file` are a whole file of this kind whose header and section
 * table are sound and whose sections lie inside it; NULL otherwise. */
static inline const emb_header *emb_open(const void *file, size_t len, unsigned kind) {
    const emb_header *header = (const emb_header *)file;
    const emb_section *section;
    uint64_t end;
    uint32_t i;
    if ((uintptr_t)file % EMB_UNIT != 0 || len < EMB_HEADER_LEN) return NULL;
    if (memcmp(header->magic, EMB_MAGIC, 8) != 0 || header->kind != kind) return NULL;
    if (header->version != EMB_FORMAT_VERSION || header->semantics != EMB_SEMANTICS) return NULL;
    if (header->file_len != len || header->sections > len / EMB_HEADER_LEN - 1) return NULL;
    section = (const emb_section *)(header + 1);
    if (emb_crc32(emb_crc32(0, header, EMB_HEADER_LEN - 4), section,
                  (size_t)header->sections * EMB_HEADER_LEN) != header->crc) return NULL;
    end = EMB_HEADER_LEN * ((uint64_t)header->sections + 1);
    for (i = 0; i < header->sections; i++) {
        if (section[i].offset < end || section[i].offset > len) return NULL;
        if (section[i].len > len - section[i].offset) return NULL;
        end = section[i].offset + section[i].len;
    }
    return header;
}

/* The section of this kind that has `skip` others of its kind before it; NULL when there is none. */
static inline const emb_section *emb_find(const emb_header *file, uint32_t kind, uint32_t skip) {
    const emb_section *section = (const emb_section *)(file + 1);
    uint32_t i;
    for (i = 0; i < file->sections; i++) {
        if (section[i].kind == kind && skip-- == 0) return &section[i];
    }
    return NULL;
}

/* The content of a section. */
static inline const void *emb_content(const emb_header *file, const emb_section *section) {
    return (const uint8_t *)file + section->offset;
}

/* Whether a section's content fits its checksum. */
static inline int emb_verify(const emb_header *file, const emb_section *section) {
    return emb_crc32(0, emb_content(file, section), (size_t)section->len) == section->crc;
}

/* The entries of a table whose entries have `size` bytes; NULL when it leaves the section. */
static inline const void *emb_entries(const emb_header *file, const emb_section *section,
                                      emb_table table, size_t size) {
    if (table.offset > section->len) return NULL;
    if (table.count > (section->len - table.offset) / size) return NULL;
    return (const uint8_t *)emb_content(file, section) + table.offset;
}

/* A string and its length (it does not end with a zero byte); NULL for EMB_NONE. */
static inline const char *emb_string(const emb_header *file, const emb_section *section,
                                     emb_table string_ends, emb_table strings, uint32_t index,
                                     uint32_t *len) {
    const uint32_t *ends = (const uint32_t *)emb_entries(file, section, string_ends, 4);
    const char *bytes = (const char *)emb_entries(file, section, strings, 1);
    uint32_t start;
    if (ends == NULL || bytes == NULL || index >= string_ends.count) return NULL;
    start = index == 0 ? 0 : ends[index - 1];
    if (start > ends[index] || ends[index] > strings.count) return NULL;
    *len = ends[index] - start;
    return bytes + start;
}

#ifdef __cplusplus
}
#endif

#endif
