/**
 * Both shells pass the words up to the cursor to `lb completion words` and offer the lines that it prints, or files if
 * it prints none. Bash splits words at `:` and `=`: the part before them is removed again.
 */
export const BASH = `# Tab completion of lb for bash: source <(lb completion bash)
_lb() {
  local line=\${COMP_LINE:0:COMP_POINT} words current known candidate
  read -ra words <<<"$line"
  [[ $line == *[[:space:]] ]] && words+=('')
  current=\${words[\${#words[@]} - 1]}
  known=\${current%"\${current##*[:=]}"}
  COMPREPLY=()
  while IFS= read -r candidate; do
    COMPREPLY+=("\${candidate#"$known"}")
  done < <("$1" completion words -- "\${words[@]:1}" 2>/dev/null)
}
complete -o default -F _lb lb
`;

export const ZSH = `#compdef lb
# Tab completion of lb for zsh: source <(lb completion zsh)
_lb() {
  local -a candidates
  candidates=("\${(@f)$("\${words[1]}" completion words -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ -n \${candidates[1]} ]]; then
    compadd -a candidates
  else
    _files
  fi
}
if [[ \${funcstack[1]} == _lb ]]; then
  _lb "$@"
else
  compdef _lb lb
fi
`;
