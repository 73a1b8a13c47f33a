package geo

import "math"

// The grid: 400 rows of 0.45° (50 km) from south to north, each cut into as many
// columns of about 50 km as fit around the globe at its middle, from 800 at the
// equator to 3 at the poles. The number of a cell is
//
//	1 + row×1024 + column
//
// so that it needs no table; 203,718 of the numbers below 1<<19 are used.
const (
	gridRows   = 400
	gridCols   = 2 * gridRows
	gridStride = 1024
)

// CellLimit is larger than any cell number.
const CellLimit = 1 << 19

// Cell returns the number of the grid cell of about 50 km × 50 km that p lies in:
// at least 1 and below [CellLimit]. It is 0, unknown, if p is not on the globe.
// Places that one cell holds are at most 90 km apart.
func Cell(p Point) uint32 {
	if !p.Valid() {
		return 0
	}
	row := min(int((float64(p.Lat)+90)*(gridRows/180.0)), gridRows-1) // the north pole belongs to the last row
	cols := columns(row)
	col := int((float64(p.Lon)+180)*float64(cols)/360) % cols // 180° is -180°
	return uint32(1 + row*gridStride + col)
}

// CellCenter returns the middle of a cell, at most 45 km from any place in it.
// It reports false for 0 and for numbers that no cell has.
func CellCenter(cell uint32) (Point, bool) {
	if cell == 0 || cell >= CellLimit {
		return Point{}, false
	}
	row, col := int(cell-1)/gridStride, int(cell-1)%gridStride
	if row >= gridRows || col >= columns(row) {
		return Point{}, false
	}
	return Point{Lat: float32(rowMiddle(row)), Lon: float32((float64(col)+0.5)*360/float64(columns(row)) - 180)}, true
}

func columns(row int) int {
	return int(math.Round(gridCols * math.Cos(rowMiddle(row)*math.Pi/180)))
}

func rowMiddle(row int) float64 { return (float64(row)+0.5)*180/gridRows - 90 }
