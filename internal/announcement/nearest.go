package announcement

// Nearest returns the one of known that takes the fewest changed letters to write, the
// first of several, and how many these are. Of none it is "".
func Nearest(name string, known []string) (best string, changes int) {
	for _, one := range known {
		if d := distance([]rune(name), []rune(one)); best == "" || d < changes {
			best, changes = one, d
		}
	}
	return best, changes
}

// distance is Levenshtein's: letters put in, left out or exchanged.
func distance(a, b []rune) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range a {
		diagonal := row[0]
		row[0] = i + 1
		for j := range b {
			exchanged := diagonal
			if a[i] != b[j] {
				exchanged++
			}
			diagonal = row[j+1]
			row[j+1] = min(exchanged, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
