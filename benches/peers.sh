#!/usr/bin/env bash
# Both sides of each measurement, alternating, in one sitting: ebb beside PyTorch, PEFT, transformers and llama.cpp.
#
#   benches/peers.sh VENV [SCRIPTS] [RUNS]
#
# VENV is a Python environment with torch, transformers and peft; SCRIPTS the folder with train_step.py and generate.py
# (../shared/peers); RUNS how often each side runs (3). The program is target/release/ebb, or what EBB names. ONLY, a
# regular expression, picks works by their names. Prints a Markdown table of medians, with the ratio ours / theirs: below 1 ebb is faster.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
venv="$(cd "${1:?the folder of a Python environment}" && pwd)"
scripts="$(cd "${2:-$here/../../shared/peers}" && pwd)"
runs="${3:-3}"
ebb="${EBB:-$here/../target/release/ebb}"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

# The number under a name in the last line of JSON.
number() { grep '^{' | tail -1 | grep -oE "\"$1\": ?[0-9.e+-]+" | head -1 | grep -oE '[0-9.e+-]+$'; }
median() { sort -g | awk '{ all[NR] = $1 } END { print all[int((NR + 1) / 2)] }'; }

# measure NAME UNIT FIELD_OF_THEIRS FIELD_OF_OURS "THEIR COMMAND" "OUR COMMAND"
measure() {
    local name="$1" unit="$2" their_field="$3" our_field="$4" theirs="$5" ours="$6"
    [[ "$name" =~ ${ONLY:-.} ]] || return 0
    : > "$work/theirs"; : > "$work/ours"; : > "$work/their_memory"; : > "$work/our_memory"
    for ((run = 0; run < runs; run++)); do
        (cd "$scripts" && eval "$venv/bin/python $theirs") > "$work/line" 2> "$work/errors" || { cat "$work/errors" >&2; return 1; }
        number "$their_field" < "$work/line" >> "$work/theirs"
        number peak_rss_mib < "$work/line" >> "$work/their_memory"
        (cd "$work" && eval "$ebb run $ours --json") > "$work/line" 2> "$work/errors" || { cat "$work/errors" >&2; return 1; }
        number "$our_field" < "$work/line" >> "$work/ours"
        number memory_mib < "$work/line" >> "$work/our_memory"
    done
    local them us ratio
    them="$(median < "$work/theirs")" us="$(median < "$work/ours")"
    case "$unit" in
        s) ratio="$(awk "BEGIN { printf \"%.2f\", $us / $them }")" ;;
        *) ratio="$(awk "BEGIN { printf \"%.2f\", $them / $us }")" ;;
    esac
    awk -v n="$name" -v u="$unit" -v t="$them" -v o="$us" -v tm="$(median < "$work/their_memory")" \
        -v om="$(median < "$work/our_memory")" -v r="$ratio" \
        'BEGIN { printf "| %s | %.3g %s, %.0f MiB | %.3g %s, %.0f MiB | %s | %.2f |\n", n, t, u, tm, o, u, om, r, om / tm }'
}

step() { # NAME MODEL METHOD BATCH THREADS [OURS]
    measure "$1" s step_s_median seconds \
        "train_step.py --model $2 --method $3 --batch $4 --seq 128 --steps 5 --threads $5" \
        "$here/peers/step.rhai --model ${6:-$2} --method $3 --batch $4 --seq 128 --steps 5 --threads $5"
}
text() { # NAME MODEL BATCH TOGETHER THREADS [EXTRA] [OURS]
    measure "$1" tok/s tokens_per_s tokens_per_second \
        "generate.py --model $2 --batch $3 --prompt 64 --new 64 --repeats 2 --threads $5 ${6:-}" \
        "$here/peers/generate.rhai --model ${7:-$2} --batch $3 --together $4 --prompt 64 --new 64 --repeats 3 --threads $5"
}

echo "$(date +%F), $(grep -m1 'model name' /proc/cpuinfo | cut -d: -f2 | xargs), $(nproc) cores,$(grep -m1 -oE ' (avx2|avx512f|avx512_bf16|avx512_vnni)\b' /proc/cpuinfo | sort -u | tr -d '\n')"
echo
echo "| work (f32) | theirs | ours | time ratio | memory ratio |"
echo "| --- | --- | --- | --- | --- |"
stories="$(cd "$scripts/../models/stories260k" 2> /dev/null && pwd || true)"
for threads in 1 2; do
    step "full step, LLaMA shape 15 M, 8 × 128, $threads thread(s)" llama15m full 8 $threads
    step "LoRA step, the same, $threads thread(s)" llama15m lora 8 $threads
    [ -z "$stories" ] || step "full step, stories260K, 8 × 128, $threads thread(s)" "$stories" full 8 $threads
    text "greedy, 15 M, one at a time, $threads thread(s)" llama15m 4 1 $threads --one-at-a-time
    text "greedy, 15 M, batch 16, $threads thread(s)" llama15m 16 16 $threads
done
step "full step, GPT-2 124 M, 8 × 128, 2 threads" gpt2 full 8 2
text "greedy, GPT-2, one at a time, 2 threads" gpt2 2 1 2 --one-at-a-time
text "greedy, GPT-2, batch 16, 2 threads" gpt2 16 16 2
