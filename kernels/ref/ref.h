/* ref.h - the reference backend: every op as plain double loops, for tests.
 *
 * All W and acc buffers are double (dtype = acc = DTYPE_F64).  No cleverness, no
 * threads: this folder is the definition of what an op computes.
 */
#ifndef TP_KERNELS_REF_H
#define TP_KERNELS_REF_H

#include "kernels/ops.h"

void dev_open_ref(struct dev *dev);

#endif
