/* flat_internal.h - layouts that reading and writing token files of other trainers share. */
#ifndef TP_DATA_FLAT_INTERNAL_H
#define TP_DATA_FLAT_INTERNAL_H

#include "data/flat.h"

enum {
    LLMC_HEADER = 256, /* int32 */
    LLMC_MAGIC_U16 = 20240520,
    LLMC_MAGIC_U32 = 20240801,
    LLMC_VERSION_U16 = 1,
    LLMC_VERSION_U32 = 7,
    MEGATRON_HEAD = 34 /* bytes: magic, version, dtype, sequences, documents */
};
#define MEGATRON_MAGIC "MMIDIDX\0\0"
enum { MEGATRON_MAGIC_BYTES = 9 };

#endif
