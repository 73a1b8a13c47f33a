package mmdb_test

import (
	"fmt"

	"github.com/waypost/waypost/geo/bundled"
	"github.com/waypost/waypost/geo/mmdb"
)

// Example lists the first networks of the database that comes with the program.
func Example() {
	file, err := bundled.Country()
	if err != nil {
		fmt.Println(err)
		return
	}
	db, err := mmdb.FromBytes(bundled.CountryName, file)
	if err != nil {
		fmt.Println(err)
		return
	}
	countries, err := db.Countries()
	if err != nil {
		fmt.Println(err)
		return
	}
	n := 0
	for prefix, country := range countries {
		fmt.Println(prefix, country)
		if n++; n == 3 {
			break
		}
	}
	// Output:
	// 1.0.0.0/24 US
	// 1.0.4.0/22 AU
	// 1.0.16.0/24 JP
}

// Example_wrongDatabase asks a country database for coordinates.
func Example_wrongDatabase() {
	file, err := bundled.Country()
	if err != nil {
		fmt.Println(err)
		return
	}
	db, err := mmdb.FromBytes("country.mmdb", file)
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = db.Points()
	fmt.Println(err)
	// Output:
	// reading country.mmdb: no record of this database of type "country ipvAll" has coordinates (location.latitude and .longitude, or latitude and longitude)
}
