# One CSV row of a run report (--report FILE.json), for bench/scaling.sh and
# jobs/scaling-*.sbatch; 'awk -v header=1 -f bench/report-row.awk' prints the
# names of the columns.
#   awk -v first="strong,1" -v seconds=1.5 -f bench/report-row.awk run.json
BEGIN {
    n_phases = split("read space sample correct write", phases, " ")
    if (header) {
        line = "ranks,threads,points,features,components,batches,landmarks," \
               "rows,affinities,seconds"
        for (i = 1; i <= n_phases; i++)
            line = line "," phases[i] "_s," phases[i] "_calls," \
                   phases[i] "_bytes"
        print line ",rss_max"
        exit
    }
}

{
    key = $1
    gsub(/[":]/, "", key)
    value = $2
    sub(/,$/, "", value)
}
$2 == "{" { path[++depth] = key; next }
key == "{" { path[++depth] = ""; next }
/^ *}/ { depth--; next }
value ~ /^-?[0-9.]/ { got[path[depth] "." key] = value }

function number(name) { return (name in got) ? got[name] + 0 : 0 }

END {
    if (header)
        exit
    d = number("input.features")
    p = number("params.pca")
    line = (first == "" ? "" : first ",") \
        number(".ranks") "," number(".threads") "," \
        number("input.profiles") "," d "," \
        (p > 0 && p < d ? p : d) "," number("input.batches") "," \
        number("result.n_landmarks") "," number("sampling.rows") "," \
        number("result.n_affinities") "," seconds + 0
    for (i = 1; i <= n_phases; i++)
        line = line "," number(phases[i] ".seconds_max") "," \
            number(phases[i] ".collective_calls") "," \
            number(phases[i] ".collective_bytes")
    print line "," number("memory.rss_peak_max")
}
