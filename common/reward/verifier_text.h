/* verifier_text.h - verifiers of text and length, as open-instruct names them, and their options.
 *
 *   string_f1         how many words answer and truth share (F1, after SQuAD's normalisation)
 *   puzzle            the answer is the truth, after SQuAD's normalisation
 *   flan              so is what follows the last "The answer is: "
 *   re_search         so is <finish>..</finish>
 *   re_search_f1      F1 of the last <finish>..</finish>, at least 0.1 if there is one
 *                     (Chen et al., "ReSearch", arXiv:2503.19470)
 *   regex             the truth is a pattern (regex.h) that is found in the answer
 *   max_length        1 - |n - truth| / L for n tokens generated, not below 0; L: --length-scale
 *   up_to_max_length  the same above the truth, 1 below
 *   r1_format         </think>, then <answer>..</answer>
 *   passthrough       0: the reward comes from an environment
 */
#ifndef TP_REWARD_VERIFIER_TEXT_H
#define TP_REWARD_VERIFIER_TEXT_H

#include "base/opt.h"

extern const struct opt text_option_table[];

#endif
