# The scores of mix-swarm.sh (target, seed, solved, natural, uniform) as a picture: a row of dots for each
# mixture of each target, in hundredths above or below the mean of the natural mixture's seeds.
function x(v) { return 190 + (v - low) / (high - low) * 390 }
{
    if (!($1 in n)) order[++n_targets] = $1
    n[$1]++
    for (k = 3; k <= 5; k++) value[$1, n[$1], k] = $k
    natural[$1] += $4
}
END {
    title[3] = "solved"; title[4] = "natural"; title[5] = "uniform"
    colour[3] = "#b5402b"; colour[4] = "#35618f"; colour[5] = "#777777"
    low = -2; high = 2
    for (t = 1; t <= n_targets; t++)
        for (i = 1; i <= n[order[t]]; i++)
            for (k = 3; k <= 5; k++) {
                v = 100 * (value[order[t], i, k] - natural[order[t]] / n[order[t]])
                value[order[t], i, k] = v
                if (v < low) low = v
                if (v > high) high = v
            }
    low = int(low) - 2; high = int(high) + 2
    height = 50 + 100 * n_targets
    printf "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"600\" height=\"%d\" font-family=\"sans-serif\" font-size=\"12\">\n", height
    print "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>"
    for (t = 1; t <= n_targets; t++) {
        top = 10 + 100 * (t - 1)
        printf "<text x=\"10\" y=\"%d\" font-weight=\"bold\">%s</text>\n", top + 45, order[t]
        for (k = 3; k <= 5; k++) {
            y = top + 25 * (k - 2)
            printf "<text x=\"110\" y=\"%d\">%s</text><line x1=\"190\" x2=\"580\" y1=\"%d\" y2=\"%d\" stroke=\"#dddddd\"/>\n", y + 4, title[k], y, y
            for (i = 1; i <= n[order[t]]; i++)
                printf "<circle cx=\"%.1f\" cy=\"%d\" r=\"5\" fill=\"%s\" fill-opacity=\"0.7\"/>\n", x(value[order[t], i, k]), y, colour[k]
        }
    }
    printf "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"10\" y2=\"%d\" stroke=\"#35618f\" stroke-dasharray=\"3\"/>\n", x(0), x(0), height - 45
    step = high - low > 40 ? 10 : high - low > 16 ? 4 : 2
    for (v = int(low / step) * step; v <= high; v += step)
        printf "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%d</text>\n", x(v), height - 28, v
    printf "<text x=\"385\" y=\"%d\" text-anchor=\"middle\">100 x (log bits per byte - natural), lower is better; a dot is a seed</text>\n</svg>\n", height - 8
}
