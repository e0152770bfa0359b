// The mark: a tilde.
export function Mark() {
  return (
    <svg viewBox="0 0 28 14" fill="none" aria-hidden="true">
      <path
        d="M3 10c2-7 7.5-8 11-3.5s9 3.5 11-3"
        stroke="currentColor"
        strokeWidth="3.2"
        strokeLinecap="round"
      />
    </svg>
  );
}
