/* emoji.h - characters that are emoji by themselves. */
#ifndef TP_REWARD_EMOJI_H
#define TP_REWARD_EMOJI_H

#include <stdbool.h>
#include <stdint.h>

/* Emoji of one character in emoji-test.txt of Unicode 17 (Technical Standard 51). */
bool is_emoji(int32_t c);

#endif
